//! A token bucket.

use std::time::Duration;

/// What a client may still use: it fills at a rate, to what a second brings, and can be overdrawn,
/// which takes time to make good.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Bucket {
    units: f64,
    /// Units that a second brings, when it was last asked.
    rate: f64,
    /// When it had those.
    at: Duration,
}

impl Bucket {
    pub(super) fn full(rate: f64, now: Duration) -> Bucket {
        Bucket { units: rate, rate, at: now }
    }

    /// Takes `amount`; says how long it takes to make good what is overdrawn then.
    /// At most `longest` is waited for; what is overdrawn beyond it is let go.
    pub(super) fn take(&mut self, amount: f64, rate: f64, now: Duration, longest: Duration) -> Duration {
        let most = -rate * longest.as_secs_f64();
        self.units = (self.filled(rate, now) - amount).max(most);
        (self.rate, self.at) = (rate, self.at.max(now));
        let overdrawn = (-self.units / rate).max(0.0);
        Duration::try_from_secs_f64(overdrawn).unwrap_or(longest).min(longest)
    }

    fn filled(&self, rate: f64, now: Duration) -> f64 {
        let since = now.saturating_sub(self.at).as_secs_f64();
        (self.units + since * rate).min(rate)
    }

    /// Whether nobody has taken anything for so long that it may as well be forgotten.
    pub(super) fn is_idle(&self, now: Duration) -> bool {
        self.filled(self.rate, now) >= 0.0 && now.saturating_sub(self.at) > Duration::from_secs(60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_overdrawn_takes_time() {
        let at = Duration::from_millis;
        let mut bucket = Bucket::full(1000.0, at(0));
        for (amount, now, want) in [
            (400.0, 0, 0),
            (600.0, 0, 0),
            (500.0, 0, 500),
            (0.0, 250, 250),
            (0.0, 500, 0),
            (1000.0, 10_000, 0),
            (1.0, 10_000, 1),
            (1e12, 10_000, 3_600_000),
        ] {
            assert_eq!(
                bucket.take(amount, 1000.0, at(now), Duration::from_secs(3600)).as_millis(),
                want,
                "{amount} at {now}"
            );
        }
    }

    #[test]
    fn it_is_idle_once_it_owes_nothing_for_a_minute() {
        let at = Duration::from_secs;
        let mut bucket = Bucket::full(10.0, at(0));
        assert!(!bucket.is_idle(at(60)) && bucket.is_idle(at(61)));
        bucket.take(10_000.0, 10.0, at(100), at(3600));
        assert!(!bucket.is_idle(at(1000)), "it owes for a thousand seconds");
        assert!(bucket.is_idle(at(1200)));
    }
}
