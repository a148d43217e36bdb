//! Matroska, as far as it takes to hand raw pictures to an encoder and to write a WebM file of what it answers.
//!
//! Nothing is held but the open cluster and a number of each key frame, and all sizes and positions have 64 bits.

use std::io::{self, Write};

/// What the clusters of a file are at most, in milliseconds: times in them are of 16 bits.
const CLUSTER_MS: u64 = 10_000;
/// A cluster is closed when it has so many bytes.
const CLUSTER_BYTES: usize = 4 << 20;
/// A size that is not known: the element goes on until the end of the stream.
const UNKNOWN: u64 = (1 << 56) - 1;
/// Times are in milliseconds.
const NANOSECONDS: u64 = 1_000_000;
const VIDEO: u8 = 1;

/// Width and height of a video in pixels.
pub(super) type Dimensions = (u32, u32);

/// What stands before the frames of a stream of raw pictures: blue, green, red and a byte without meaning for each pixel.
pub(super) fn raw_head(size: Dimensions) -> Vec<u8> {
    let mut head = ebml("matroska");
    id_and_size(&mut head, SEGMENT, UNKNOWN);
    element(&mut head, INFO, &uint(TIMESTAMP_SCALE, NANOSECONDS));
    element(&mut head, TRACKS, &track("V_UNCOMPRESSED", size, &[(COLOUR_SPACE, b"BGR\0".to_vec())]));
    head
}

/// What stands before the bytes of a raw frame; each is a cluster of its own.
pub(super) fn raw_frame_head(t_ms: u64, bytes: u64) -> Vec<u8> {
    let mut block = Vec::new();
    id_and_size(&mut block, SIMPLE_BLOCK, BLOCK_HEAD + bytes);
    block.extend_from_slice(&block_head(0, true));
    let time = uint(TIMESTAMP, t_ms);
    let mut head = Vec::new();
    id_and_size(&mut head, CLUSTER, (time.len() + block.len()) as u64 + bytes);
    head.extend_from_slice(&time);
    head.extend_from_slice(&block);
    head
}

/// Writes a WebM file with one VP9 track.
pub(super) struct WebmWriter<W> {
    out: W,
    /// Bytes written.
    position: u64,
    /// Where the size of the segment stands; what is in it comes right behind.
    segment: u64,
    info: u64,
    tracks: u64,
    cluster: Option<Cluster>,
    /// Time and cluster of each key frame.
    cues: Vec<(u64, u64)>,
}

struct Cluster {
    t_ms: u64,
    blocks: Vec<u8>,
}

/// Bytes that replace those at a place in the file, once it is whole: its size and where its parts are. A file without
/// them can be played, but players search longer for a time.
pub(super) type Patch = (u64, Vec<u8>);

impl<W: Write> WebmWriter<W> {
    /// Begins a file of so many milliseconds.
    pub(super) fn new(out: W, size: Dimensions, duration_ms: u64) -> io::Result<Self> {
        let mut head = ebml("webm");
        id_and_size(&mut head, SEGMENT, UNKNOWN);
        let start = head.len() as u64;
        // The place of what is only known at the end.
        let index = seek_head(0, 0, 0);
        id_and_size(&mut head, VOID, index.len() as u64 - VOID_HEAD);
        head.resize(head.len() + index.len() - VOID_HEAD as usize, 0);
        let info = head.len() as u64 - start;
        let mut about = uint(TIMESTAMP_SCALE, NANOSECONDS);
        element(&mut about, DURATION, &(duration_ms as f64).to_be_bytes());
        element(&mut about, MUXING_APP, b"passerelle");
        element(&mut about, WRITING_APP, b"passerelle");
        element(&mut head, INFO, &about);
        let tracks = head.len() as u64 - start;
        // Colours as high-definition television has them, which is what players take for granted.
        let colours = [uint(MATRIX, 1), uint(RANGE, 1), uint(TRANSFER, 1), uint(PRIMARIES, 1)].concat();
        element(&mut head, TRACKS, &track("V_VP9", size, &[(COLOUR, colours)]));
        let mut writer =
            Self { out, position: 0, segment: start - 8, info, tracks, cluster: None, cues: Vec::new() };
        writer.write(&head)?;
        Ok(writer)
    }

    /// Adds a frame. Times never go back.
    pub(super) fn frame(&mut self, t_ms: u64, key: bool, frame: &[u8]) -> io::Result<()> {
        let full = self.cluster.as_ref().is_some_and(|cluster| {
            key || t_ms.saturating_sub(cluster.t_ms) >= CLUSTER_MS || cluster.blocks.len() >= CLUSTER_BYTES
        });
        if full {
            self.close()?;
        }
        if key {
            self.cues.push((t_ms, self.position - self.start()));
        }
        let cluster = self.cluster.get_or_insert_with(|| Cluster { t_ms, blocks: Vec::new() });
        // Less than a cluster's length, and so within 16 bits.
        let since = i16::try_from(t_ms.saturating_sub(cluster.t_ms)).unwrap_or(i16::MAX);
        id_and_size(&mut cluster.blocks, SIMPLE_BLOCK, BLOCK_HEAD + frame.len() as u64);
        cluster.blocks.extend_from_slice(&block_head(since, key));
        cluster.blocks.extend_from_slice(frame);
        Ok(())
    }

    /// Ends the file. Where the output can seek, the patches are to be put into their places.
    pub(super) fn finish(mut self) -> io::Result<(W, [Patch; 2])> {
        self.close()?;
        let cues_at = self.position - self.start();
        let mut cues = Vec::new();
        for (t_ms, cluster) in &self.cues {
            let mut place = uint(CUE_TRACK, VIDEO.into());
            place.extend_from_slice(&uint(CUE_CLUSTER, *cluster));
            let mut point = uint(CUE_TIME, *t_ms);
            element(&mut point, CUE_POSITIONS, &place);
            element(&mut cues, CUE_POINT, &point);
        }
        let mut written = Vec::new();
        element(&mut written, CUES, &cues);
        self.write(&written)?;
        self.out.flush()?;
        let (start, size) = (self.start(), self.position - self.start());
        let patches = [
            (self.segment, (size | 1 << 56).to_be_bytes().to_vec()),
            (start, seek_head(self.info, self.tracks, cues_at)),
        ];
        Ok((self.out, patches))
    }

    /// Where positions in the file are counted from.
    fn start(&self) -> u64 {
        self.segment + 8
    }

    fn close(&mut self) -> io::Result<()> {
        let Some(cluster) = self.cluster.take() else { return Ok(()) };
        let time = uint(TIMESTAMP, cluster.t_ms);
        let mut head = Vec::new();
        id_and_size(&mut head, CLUSTER, (time.len() + cluster.blocks.len()) as u64);
        head.extend_from_slice(&time);
        self.write(&head)?;
        self.write(&cluster.blocks)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.position += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}

const EBML: u32 = 0x1a45_dfa3;
const SEGMENT: u32 = 0x1853_8067;
const SEEK_HEAD: u32 = 0x114d_9b74;
const VOID: u32 = 0xec;
const INFO: u32 = 0x1549_a966;
const TIMESTAMP_SCALE: u32 = 0x2a_d7b1;
const DURATION: u32 = 0x4489;
const MUXING_APP: u32 = 0x4d80;
const WRITING_APP: u32 = 0x5741;
const TRACKS: u32 = 0x1654_ae6b;
const COLOUR_SPACE: u32 = 0x2e_b524;
const COLOUR: u32 = 0x55b0;
const MATRIX: u32 = 0x55b1;
const RANGE: u32 = 0x55b9;
const TRANSFER: u32 = 0x55ba;
const PRIMARIES: u32 = 0x55bb;
const CLUSTER: u32 = 0x1f43_b675;
const TIMESTAMP: u32 = 0xe7;
const SIMPLE_BLOCK: u32 = 0xa3;
const CUES: u32 = 0x1c53_bb6b;
const CUE_POINT: u32 = 0xbb;
const CUE_TIME: u32 = 0xb3;
const CUE_POSITIONS: u32 = 0xb7;
const CUE_TRACK: u32 = 0xf7;
const CUE_CLUSTER: u32 = 0xf1;
/// Length of what stands before an element of one byte's identity.
const VOID_HEAD: u64 = 9;
/// Length of what stands before a frame in its block: track, time and flags.
const BLOCK_HEAD: u64 = 4;

fn ebml(kind: &str) -> Vec<u8> {
    let mut content = [uint(0x4286, 1), uint(0x42f7, 1), uint(0x42f2, 4), uint(0x42f3, 8)].concat();
    element(&mut content, 0x4282, kind.as_bytes());
    content.extend_from_slice(&uint(0x4287, 4));
    content.extend_from_slice(&uint(0x4285, 2));
    let mut header = Vec::new();
    element(&mut header, EBML, &content);
    header
}

/// The one track: its number, a number for all files, that it is video, and no lacing.
fn track(codec: &str, (width, height): Dimensions, more: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut video = [uint(0xb0, width.into()), uint(0xba, height.into())].concat();
    for (id, content) in more {
        element(&mut video, *id, content);
    }
    let mut entry = [uint(0xd7, VIDEO.into()), uint(0x73c5, 1), uint(0x83, 1), uint(0x9c, 0)].concat();
    element(&mut entry, 0x86, codec.as_bytes());
    element(&mut entry, 0xe0, &video);
    let mut track = Vec::new();
    element(&mut track, 0xae, &entry);
    track
}

/// Where the parts of the segment are; of the same length whatever they are.
fn seek_head(info: u64, tracks: u64, cues: u64) -> Vec<u8> {
    let mut seeks = Vec::new();
    for (id, place) in [(INFO, info), (TRACKS, tracks), (CUES, cues)] {
        let mut seek = Vec::new();
        element(&mut seek, 0x53ab, &id.to_be_bytes());
        element(&mut seek, 0x53ac, &place.to_be_bytes());
        element(&mut seeks, 0x4dbb, &seek);
    }
    let mut head = Vec::new();
    element(&mut head, SEEK_HEAD, &seeks);
    head
}

fn block_head(since: i16, key: bool) -> [u8; BLOCK_HEAD as usize] {
    let [t0, t1] = since.to_be_bytes();
    [0x80 | VIDEO, t0, t1, if key { 0x80 } else { 0 }]
}

fn uint(id: u32, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    element(&mut out, id, &value.to_be_bytes());
    out
}

fn element(out: &mut Vec<u8>, id: u32, content: &[u8]) {
    id_and_size(out, id, content.len() as u64);
    out.extend_from_slice(content);
}

/// An element's beginning. Sizes are written with eight bytes, which hold any of them.
fn id_and_size(out: &mut Vec<u8>, id: u32, size: u64) {
    let bytes = id.to_be_bytes();
    let unused = bytes.iter().take_while(|byte| **byte == 0).count();
    out.extend_from_slice(bytes.get(unused..).unwrap_or_default());
    out.extend_from_slice(&(size | 1 << 56).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An element: its identity, where it begins, and its content. Written from the specification, not from the above.
    fn next<'a>(bytes: &'a [u8], at: &mut usize) -> Option<(u32, usize, &'a [u8])> {
        let begin = *at;
        let first = *bytes.get(begin)?;
        let length = first.leading_zeros() as usize + 1;
        let id = bytes[begin..begin + length].iter().fold(0, |id, byte| id << 8 | u32::from(*byte));
        let size = begin + length;
        assert_eq!(bytes[size], 1, "sizes have eight bytes");
        let number = bytes[size + 1..size + 8].iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
        let (from, all) = (size + 8, bytes.len() as u64);
        let until = if number == UNKNOWN { all } else { from as u64 + number };
        *at = until as usize;
        Some((id, begin, &bytes[from..until as usize]))
    }

    fn all(bytes: &[u8]) -> Vec<(u32, usize, &[u8])> {
        let mut at = 0;
        std::iter::from_fn(|| next(bytes, &mut at)).collect()
    }

    fn number(bytes: &[u8]) -> u64 {
        u64::from_be_bytes(bytes.try_into().unwrap())
    }

    fn find<'a>(elements: &[(u32, usize, &'a [u8])], id: u32) -> &'a [u8] {
        elements.iter().find(|element| element.0 == id).unwrap().2
    }

    fn patched(mut file: Vec<u8>, patches: &[Patch]) -> Vec<u8> {
        for (at, bytes) in patches {
            let at = usize::try_from(*at).unwrap();
            file[at..at + bytes.len()].copy_from_slice(bytes);
        }
        file
    }

    #[test]
    fn frames_come_back_with_their_times_and_key_frames_are_found() {
        let frames =
            [(0, true), (40, false), (40_000, false), (40_033, false), (50_000, true), (50_001, false)];
        let mut writer = WebmWriter::new(Vec::new(), (640, 482), 50_100).unwrap();
        for (t_ms, key) in frames {
            writer.frame(t_ms, key, format!("frame {t_ms}").as_bytes()).unwrap();
        }
        let (file, patches) = writer.finish().unwrap();
        for file in [file.clone(), patched(file, &patches)] {
            let [header, segment] = all(&file).try_into().unwrap();
            assert_eq!((header.0, find(&all(header.2), 0x4282)), (EBML, &b"webm"[..]));
            let parts = all(segment.2);
            let info = all(find(&parts, INFO));
            assert_eq!(f64::from_be_bytes(find(&info, DURATION).try_into().unwrap()), 50_100.0);
            let track = all(find(&all(find(&parts, TRACKS)), 0xae));
            assert_eq!(find(&track, 0x86), b"V_VP9");
            let video = all(find(&track, 0xe0));
            assert_eq!((number(find(&video, 0xb0)), number(find(&video, 0xba))), (640, 482));
            let (mut found, mut keys) = (Vec::new(), Vec::new());
            for (_, begin, cluster) in parts.iter().filter(|part| part.0 == CLUSTER) {
                let elements = all(cluster);
                let base = number(find(&elements, TIMESTAMP));
                for (_, _, block) in elements.iter().filter(|element| element.0 == SIMPLE_BLOCK) {
                    let t_ms = base + u64::from(u16::from_be_bytes([block[1], block[2]]));
                    assert_eq!(&block[4..], format!("frame {t_ms}").as_bytes());
                    found.push((t_ms, block[3] == 0x80));
                    if block[3] == 0x80 {
                        keys.push((t_ms, *begin as u64));
                    }
                }
            }
            assert_eq!(found, frames);
            let points = all(find(&parts, CUES));
            let cues = points.iter().map(|(_, _, point)| {
                let point = all(point);
                let place = all(find(&point, CUE_POSITIONS));
                (number(find(&point, CUE_TIME)), number(find(&place, CUE_CLUSTER)))
            });
            assert_eq!(cues.collect::<Vec<_>>(), keys);
            if parts[0].0 == VOID {
                continue;
            }
            assert_eq!(parts[0].0, SEEK_HEAD);
            for (_, _, seek) in all(parts[0].2) {
                let seek = all(seek);
                let (id, place) = (find(&seek, 0x53ab), number(find(&seek, 0x53ac)));
                let part = parts.iter().find(|part| part.1 as u64 == place).unwrap();
                assert_eq!(part.0.to_be_bytes(), id);
            }
        }
    }

    #[test]
    fn positions_and_times_have_no_limit_of_32_bits() {
        let mut writer = WebmWriter::new(Vec::new(), (64, 64), 6_000_000_000).unwrap();
        let head = writer.position;
        // As if so much had been written.
        let far = 9 << 32;
        writer.position = far;
        writer.frame(5_999_999_999, true, b"late").unwrap();
        let (start, (file, [size, index])) = (writer.start(), writer.finish().unwrap());
        let tail = all(&file[head as usize..]);
        let point = all(find(&all(find(&tail, CUES)), CUE_POINT));
        assert_eq!(number(find(&point, CUE_TIME)), 5_999_999_999);
        assert_eq!(number(find(&all(find(&point, CUE_POSITIONS)), CUE_CLUSTER)), far - start);
        let seeks = all(all(&index.1)[0].2);
        let cues = number(find(&all(seeks[2].2), 0x53ac));
        let cluster = tail[1].1 as u64;
        assert_eq!(cues, far - start + cluster);
        assert_eq!(number(&size.1), 1 << 56 | (far - start + (file.len() as u64 - head)));
        assert_eq!(size.0 + 8, start);
    }

    #[test]
    fn raw_frames_stand_alone() {
        let mut stream = raw_head((2, 2));
        for t_ms in [0, 5_000_000_000] {
            stream.extend(raw_frame_head(t_ms, 16));
            stream.extend([7; 16]);
        }
        let parts = all(all(&stream)[1].2);
        let clusters: Vec<_> =
            parts.iter().filter(|part| part.0 == CLUSTER).map(|part| all(part.2)).collect();
        let times: Vec<u64> = clusters.iter().map(|cluster| number(find(cluster, TIMESTAMP))).collect();
        assert_eq!(times, [0, 5_000_000_000]);
        assert_eq!(find(&clusters[1], SIMPLE_BLOCK)[4..], [7; 16]);
    }
}
