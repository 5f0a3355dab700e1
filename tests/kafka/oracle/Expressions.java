import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;

/** What RE2/J, by which Kafka matches topics, makes of expressions: which of the names each matches, or that it is none. */
class Expressions {
    static final String[] NAMES = {
        "orders", "a", "x", "a-", "d", "b", "a]", "aa", "-", "a.bc", "c", "_", "~", "&", "Orders.eu-1", "a&b", "[a", "aaa"
    };
    static final String[] EXPRESSIONS = {
        "[a-z&&[^x]]+", "[a-z&&x]+", "[o--]+rders", "[+--o]+rders", "[a[b]", "[]a]", "[^]a]", "[a^]", "[\\]\\Q]", "[--a]",
        "[a-]", "[-a]", "[[:alpha:]]+", "[[:^alpha:]]+", "[[:foo:]]", "[[:]", "[[:]:]]", "[[::]]", "[[:^^alpha:]]", "[[:alpha:]-z]", "[\\d-z]+", "[\\pL-z]+", "[a-\\d]", "a{,3}", "a{2,}",
        "\\Qa.b\\E.*", "\\Q[a\\E", "[\\x{6f}r]+", "[\\pL]+", "[^\\PL]+", "[a&&b]", "\\_", "[\\_]+", "\\-", "(?P<n>a)", "(?<n>a)",
        "\\<orders\\>", "[\\<a]", "a{01}", "a{1,02}", "a\\055", "[\\0a]", "\\0141", "\\141", "\\14", "\\1a", "\\u0061",
        "\\Z", "\\C", "\\A\\z", "[a-z--b]+", "[~~]", "\\ba", "[b-a]", "[a-b-c]+", "\\p{Greek}", "\\7", "[\\b]", "(?x)o rders # all", "(?u)a", "(?R)a", "(?i-s)A", "(?-i:a)", "(?i)ORDERS",
        "(?i)[A-F]", "(?i:O)rders\\.eu-1", "(?s).+", "(?U)a+", "a|b|", "(a|b){2}", "(", ")", "[", "a[", "\\", "*", "+a", "(?=a)a",
        "(a)\\1", "a**", "a*?+", "a??", "a???", "a{2}?", "a{2,1000}", "a{2,x}", "a{", "a{99999999999}", ".", "..", "^a$", "a$|^b", "[[.a.]]", "[a-[:digit:]]", "[[:digit:]-z]", "\\d+", "\\w+", "\\W", "\\S\\.\\w*", "{",
        "a{1001}", "a{2}{2}", "(?:a+)+", "[.]", "[^.]+", "[&&]", "[a&]&b", "[[a]+", "[a-z]]"
    };

    public static void main(String[] args) {
        System.out.println("# " + String.join(" ", NAMES));
        for (String expression : EXPRESSIONS) System.out.println(expression + "\t" + matched(expression));
    }

    static String matched(String expression) {
        try {
            Pattern pattern = Pattern.compile(expression);
            StringBuilder matched = new StringBuilder();
            for (String name : NAMES) if (pattern.matches(name)) matched.append(' ').append(name);
            return matched.toString().trim();
        } catch (PatternSyntaxException e) {
            return "none";
        }
    }
}
