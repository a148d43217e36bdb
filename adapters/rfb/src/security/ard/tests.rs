//! Vectors made with Python: `pow` for the group, `hashlib` for MD5, `cryptography` 48 for AES-128-ECB. Both
//! have a shared secret that begins with a zero byte, so that padding it matters.

use super::*;

/// Of a client with the exponent 0x1234567890abcdef1234567890abcf60, to a server whose exponent is the bytes
/// 1 to 32.
const ANSWER_TO_SERVER: &str = concat!(
    "47af61432060bee45242b557840ff54c283a87bcecf8a33f49570ba13bf47639ac28613a8a191a308c97957c5e47b5f0",
    "ac28613a8a191a308c97957c5e47b5f07f7400f196fc5b2cd4f5b86d98bf18779ebda039b3a00af92723f258ef1d2136",
    "9ebda039b3a00af92723f258ef1d21369ebda039b3a00af92723f258ef1d21363d220950889d31a498013de34f49e443",
    "f7b4dd2c290dce90766424f7f82915eceeafa2c24e0d3a9a500be9fc9d3dcc34c3463c06742433b7aaf13ce4c413af17",
    "70ce9b9bb2204dacea8e4418909c4d1c04dbe17500a2eba50c91985eb19b7586d805c99e2d3fccfee429388d5a7590e3",
    "431c18223698894bfdc6429c1bcc15fedb8b8a03ef0660ec61e1f9509b1682423c09a413eabbb05352e2aab6aca608b9",
    "0de2d4c6aa4295e0cd3940ad0983db6ee75b7679e877bd1b661d968daae4e6c4100b6f3f75ca8d569905ce4ea1eaf2ff",
    "f8898dbbf5dda5ec43ca440f6867d09a61b565600002c4394f8cd6fdebe022bef479034cda3bd264db22e003588ceaa9",
);

/// Of a server with the group of RFC 2409 section 6.2, the generator 5 and the exponent 0xfeedfacecafebfaa.
const SERVER_PARAMETERS: &str = concat!(
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd",
    "ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed",
    "ee386bfb5a899fa5ae9f24117c4b1fe649286651ece65381ffffffffffffffff3f151e2486648c51dd85d7948cb8d88f",
    "447c34a161078da6b961a80907b1e7839f1fe0b436a1d7a4e432f2b5f724c5faab96dfee443e4f35b5265abb16183bf2",
    "4ac144e14fe581cd546b577414c502d6766b8ed595dad57896c19eaaa86833b081e4a45082d5b5ff112696f76066bbde",
    "b7cef7a949b1d92eba1f636a5a74a612",
);

/// Of a client that draws the bytes 0 to 191.
const CLIENT_ANSWER: &str = concat!(
    "5303c5641495a15c6e245aa016320248ee172c71f0752129061fd7be8cc26174e7e7172391825c883e89d22d257b81df",
    "dab802bb51a8bbaf03e9f9ae8d8ef196673be930d70c0a3ba67c34abd3bf2adb9f47a2f813da6d32c5fd6d4b41c70e8d",
    "0b29332498ebec6166b437d579278a603a1de8399f39af895247e1b0264f742708f1bde19cbb9c9b2a639e99c3dcf951",
    "5f47e068dc4addd0f360a71591c469fe71ae449f02ff3dbf6c81af5dd82b86342fca4fce39500e37bd0a101284f4cc35",
    "a878d0ad073b32cdfbfba0c68e9e6b78ea72c6ba1818ce959f0cd503bd463b3bec0c4cf73eea173771ba92aaeba87214",
    "06ae22c8b3e77855272eb6876d2ce78c",
);

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Random bytes that count up from `first`.
fn counting(first: u8) -> impl FnMut(&mut [u8]) + Send {
    let mut next = first;
    move |bytes| {
        for byte in bytes {
            *byte = next;
            next = next.wrapping_add(1);
        }
    }
}

fn answer(hex: &str) -> [u8; ArdServer::ANSWER_LEN] {
    bytes(hex).try_into().unwrap()
}

fn as_client(header: [u8; 4], parameters: &[u8]) -> Result<Vec<u8>, ArdError> {
    ArdClient::start(&header)?.finish(parameters, "admin", "hunter2", &mut counting(0))
}

const HEADER: [u8; 4] = [0, 5, 0, 128];

#[test]
fn the_server_reads_what_another_client_encrypted() {
    let (server, message) = ArdServer::start(&mut counting(1));
    assert_eq!(&message[..4], [0, 2, 1, 0]);
    assert_eq!(message.len(), 4 + 2 * SERVER_LEN);
    let (username, password) = server.finish(&answer(ANSWER_TO_SERVER)).unwrap();
    assert_eq!((username.as_str(), password.as_str()), ("alice:front-desk", "tïcket"));
}

#[test]
fn the_client_encrypts_as_another_one_does() {
    let answer = as_client(HEADER, &bytes(SERVER_PARAMETERS)).unwrap();
    assert_eq!(answer, bytes(CLIENT_ANSWER));
}

#[test]
fn texts_of_63_bytes_arrive_and_longer_ones_are_not_sent() {
    let (username, password) = ("u".repeat(63), "p".repeat(63));
    let (server, message) = ArdServer::start(&mut counting(1));
    let client = ArdClient::start(message[..4].try_into().unwrap()).unwrap();
    assert_eq!(client.parameters_len(), message.len() - 4);
    let sent = client.finish(&message[4..], &username, &password, &mut counting(9)).unwrap();
    let received = server.finish(&sent.try_into().unwrap()).unwrap();
    assert_eq!((received.0, received.1.as_str()), (username, password.as_str()));

    let long = "x".repeat(64);
    let client = |username, password| {
        let client = ArdClient::start(&HEADER).unwrap();
        client.finish(&bytes(SERVER_PARAMETERS), username, password, &mut counting(0)).unwrap_err()
    };
    assert_eq!(client(&long, ""), ArdError::UsernameTooLong(64));
    assert_eq!(client("", &long), ArdError::PasswordTooLong(64));
}

#[test]
fn public_values_that_give_the_key_away_are_refused() {
    let prime = bytes(SERVER_PARAMETERS)[..128].to_vec();
    let near = |offset: u8| {
        let mut value = prime.clone();
        value[127] = value[127].wrapping_add(offset);
        value
    };
    let small = |last: u8| {
        let mut value = vec![0; 128];
        value[127] = last;
        value
    };
    // p ends with 0xff, so that p+1 is written by hand.
    for public in [small(0), small(1), near(0xff), near(0), vec![0xff; 128]] {
        let parameters = [&prime[..], &public].concat();
        assert_eq!(as_client(HEADER, &parameters), Err(ArdError::PublicValue), "{public:x?}");
    }
    for public in [small(2), near(0xfe)] {
        assert!(as_client(HEADER, &[&prime[..], &public].concat()).is_ok());
    }

    let group = bytes(SERVER_PRIME);
    let mut below = group.clone();
    below[255] = 0xfe;
    let mut one = vec![0; 256];
    one[255] = 1;
    for public in [vec![0; 256], one, below, group, vec![0xff; 256]] {
        let (server, _) = ArdServer::start(&mut counting(1));
        let answer = [vec![0; CIPHERTEXT_LEN], public].concat().try_into().unwrap();
        assert_eq!(server.finish(&answer), Err(ArdError::PublicValue));
    }
}

#[test]
fn groups_that_are_none_are_refused() {
    let parameters = bytes(SERVER_PARAMETERS);
    assert_eq!(as_client([0, 1, 0, 128], &parameters), Err(ArdError::Generator(1)));
    assert_eq!(as_client([0, 0, 0, 128], &parameters), Err(ArdError::Generator(0)));
    for len in [0, 1, 127, 1025, 0xffff] {
        let [l1, l0] = u16::to_be_bytes(len);
        assert_eq!(as_client([0, 2, l1, l0], &[]), Err(ArdError::PrimeLength(usize::from(len))));
    }
    let mut even = parameters.clone();
    even[127] = 0xfe;
    assert_eq!(as_client(HEADER, &even), Err(ArdError::NotPrime));
    let mut short = parameters.clone();
    short[0] = 0;
    assert_eq!(as_client(HEADER, &short), Err(ArdError::NotPrime));
    assert_eq!(as_client(HEADER, &[0; 256]), Err(ArdError::NotPrime));
    assert_eq!(as_client(HEADER, &parameters[..100]), Err(ArdError::NotPrime));
}

#[test]
fn primes_of_all_lengths_are_computed_with() {
    // 2^n - 1 is no prime for most n, but odd and of full length, which is all the arithmetic needs. The length
    // of 129 bytes does not fill whole limbs.
    for len in [128u16, 129, 512, 1024] {
        let [l1, l0] = len.to_be_bytes();
        let mut parameters = vec![0xff; usize::from(len)];
        parameters.extend(std::iter::repeat_n(0x55, usize::from(len)));
        let answer = as_client([0, 5, l1, l0], &parameters).unwrap();
        assert_eq!(answer.len(), CIPHERTEXT_LEN + usize::from(len));
    }
}

#[test]
fn another_key_gives_no_text() {
    let (server, _) = ArdServer::start(&mut counting(2));
    assert_eq!(server.finish(&answer(ANSWER_TO_SERVER)), Err(ArdError::NotUtf8));
}
