//! What a load balancer says about where a connection comes from.

use passerelle_transport::ProxyHeader;

/// Who reads what is asked for, and no more, comes to the same end as who has everything at once.
pub(crate) fn header(data: &[u8]) {
    let whole = ProxyHeader::parse(data);
    let mut known = 0;
    let piecemeal = loop {
        match ProxyHeader::parse(&data[..known]) {
            Ok(ProxyHeader::NeedMore(count)) => {
                assert!(count > 0);
                if known + count > data.len() {
                    break None;
                }
                known += count;
            }
            Ok(ProxyHeader::Done { source, len }) => {
                assert_eq!(len, known);
                break Some(Ok(source));
            }
            Err(_) => break Some(Err(())),
        }
    };
    match (whole, piecemeal) {
        (Ok(ProxyHeader::Done { source, len }), Some(Ok(found))) => {
            assert_eq!((source, len), (found, known));
        }
        // A mistake may be seen before the header is whole.
        (Err(_), Some(Err(())) | None) | (Ok(ProxyHeader::NeedMore(_)), None) => {}
        (whole, piecemeal) => panic!("{whole:?} at once, {piecemeal:?} piece by piece"),
    }
}
