//! The head of a frame, which says what its body is.

use bytes::Bytes;

use crate::codec::{Reader, Writer};
use crate::messages::request_header::RequestHeader;
use crate::messages::response_header::ResponseHeader;
use crate::{ApiKey, DecodeError, EncodeError, Message, Pieces, Request};

/// The head of a request, read far enough to answer it whatever its body is.
#[derive(Clone, PartialEq, Debug)]
pub struct RequestHead {
    /// The API's number, which may be one that does not exist.
    pub api_key: i16,
    /// The version of the body.
    pub version: i16,
    /// What the response bears, so that the sender knows what it answers.
    pub correlation_id: i32,
    /// The sender's name for itself; `None` when null, or when the API is not known.
    pub client_id: Option<crate::ByteString>,
    /// What follows the head.
    pub body: Bytes,
}

impl RequestHead {
    /// Reads the head at the front of `frame`, which begins behind the frame's length. For an API
    /// or a version that is not known only the first 8 bytes, which are always the same, are read.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes do not hold a head.
    pub fn read(frame: Bytes) -> Result<RequestHead, DecodeError> {
        let mut fixed = Reader::new(frame.clone());
        let (api_key, version, correlation_id) = (fixed.i16()?, fixed.i16()?, fixed.i32()?);
        let known = ApiKey::from_code(api_key).filter(|api| api.versions().contains(&version));
        let Some(api) = known else {
            return Ok(RequestHead {
                api_key,
                version,
                correlation_id,
                client_id: None,
                body: fixed.into_rest(),
            });
        };
        let mut reader = Reader::new(frame);
        let header = RequestHeader::read(&mut reader, request_header_version(api, version))?;
        Ok(RequestHead {
            api_key,
            version,
            correlation_id,
            client_id: header.client_id,
            body: reader.into_rest(),
        })
    }

    /// Copies the head without the body. The copy shares no memory with the frame, which can be
    /// freed.
    #[must_use]
    pub fn without_body(&self) -> RequestHead {
        RequestHead {
            client_id: self.client_id.as_deref().map(Into::into),
            body: Bytes::new(),
            api_key: self.api_key,
            version: self.version,
            correlation_id: self.correlation_id,
        }
    }
}

impl ApiKey {
    /// The API with this number.
    #[must_use]
    pub fn from_code(code: i16) -> Option<ApiKey> {
        ApiKey::ALL.binary_search_by_key(&code, |api| api.code()).ok().map(|at| ApiKey::ALL[at])
    }

    /// Its number.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }

    fn is_flexible(self, version: i16) -> bool {
        self.flexible_from().is_some_and(|from| version >= from)
    }
}

fn request_header_version(api: ApiKey, version: i16) -> i16 {
    if api.is_flexible(version) { 2 } else { 1 }
}

/// Version of the header that a response has. That of ApiVersions is always 0, so that a client
/// which does not know the broker yet can read it.
#[must_use]
pub fn response_header_version(api: ApiKey, version: i16) -> i16 {
    i16::from(api != ApiKey::ApiVersions && api.is_flexible(version))
}

/// A whole request frame, its length in front.
///
/// # Errors
/// [`EncodeError`] when the request has a field that `version` cannot carry.
pub fn encode_request<R: Request>(
    request: &R,
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
) -> Result<Pieces, EncodeError> {
    let header = RequestHeader {
        request_api_key: R::KEY.code(),
        request_api_version: version,
        correlation_id,
        client_id: client_id.map(Into::into),
    };
    let mut writer = Writer::with_length();
    header.write(&mut writer, request_header_version(R::KEY, version))?;
    request.write(&mut writer, version)?;
    writer.finish_frame()
}

/// A whole response frame, its length in front.
///
/// # Errors
/// [`EncodeError`] when the response has a field that `version` cannot carry.
pub fn encode_response<M: Message>(
    response: &M,
    api: ApiKey,
    version: i16,
    correlation_id: i32,
) -> Result<Pieces, EncodeError> {
    let mut writer = Writer::with_length();
    ResponseHeader { correlation_id }.write(&mut writer, response_header_version(api, version))?;
    response.write(&mut writer, version)?;
    writer.finish_frame()
}
