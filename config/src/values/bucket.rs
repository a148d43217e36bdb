//! Where an object store keeps recordings.

use std::fmt;
use std::str::FromStr;

/// A bucket and what its objects' names begin with: `s3://bucket/prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketUrl {
    /// The bucket.
    pub bucket: String,
    /// What names begin with, without slashes at its ends; may be empty.
    pub prefix: String,
}

/// Text that is no bucket. The sentence goes on from `this`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BucketUrlError {
    /// It begins with something else.
    #[error("is not a bucket; write `s3://bucket` or `s3://bucket/prefix`")]
    Scheme,
    /// The bucket's name is none.
    #[error("has no bucket's name; that has 3 to 63 small letters, digits, `-` and `.`")]
    Bucket,
    /// The prefix has something that names of objects should not have.
    #[error("has a prefix with other signs than letters, digits, `-`, `_`, `.` and single `/`")]
    Prefix,
}

impl FromStr for BucketUrl {
    type Err = BucketUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("s3://").ok_or(BucketUrlError::Scheme)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let sign = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
        let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
        let (first, last) = (bucket.bytes().next(), bucket.bytes().last());
        if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(sign) || !ends(first) || !ends(last) {
            return Err(BucketUrlError::Bucket);
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let part = |part: &str| !part.is_empty() && part.bytes().all(plain) && part != "." && part != "..";
        if !prefix.is_empty() && (prefix.len() > 512 || !prefix.split('/').all(part)) {
            return Err(BucketUrlError::Prefix);
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

impl fmt::Display for BucketUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if self.prefix.is_empty() { Ok(()) } else { write!(f, "/{}", self.prefix) }
    }
}

text_value!(
    BucketUrl,
    "BucketUrl",
    super::format::BUCKET_URL,
    "A bucket and what its objects' names begin with: s3://bucket/prefix."
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_read_and_printed() {
        for (text, bucket, prefix) in [
            ("s3://recordings", "recordings", ""),
            ("s3://my.bucket-1/site/a_b", "my.bucket-1", "site/a_b"),
            ("s3://abc/x/", "abc", "x"),
        ] {
            let url: BucketUrl = text.parse().unwrap();
            assert_eq!((url.bucket.as_str(), url.prefix.as_str()), (bucket, prefix), "{text}");
            assert_eq!(url.to_string().parse(), Ok(url), "{text}");
        }
        use BucketUrlError::{Bucket, Prefix, Scheme};
        for (text, error) in [
            ("", Scheme),
            ("https://bucket", Scheme),
            ("s3://", Bucket),
            ("s3://ab", Bucket),
            ("s3://Bucket", Bucket),
            ("s3://-bucket", Bucket),
            ("s3://user:pass@bucket", Bucket),
            ("s3://bucket//x", Prefix),
            ("s3://bucket/a/../b", Prefix),
            ("s3://bucket/a b", Prefix),
        ] {
            assert_eq!(text.parse::<BucketUrl>(), Err(error), "{text}");
        }
    }
}
