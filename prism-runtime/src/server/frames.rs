//! What of HTTP/2 the server looks at itself: the beginning of a connection, the last stream of a
//! peer, and the frames that end a connection without hyper.
//! <https://www.rfc-editor.org/rfc/rfc9113#section-4>

/// With this every HTTP/2 client begins.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADER: usize = 9;
const HEADERS: u8 = 1;
const PING: u8 = 6;
const ACK: u8 = 1;
/// First byte of a TLS record with a handshake.
const TLS_HANDSHAKE: u8 = 0x16;
/// What h2 writes into the PING of a graceful end. Streams after its acknowledgement are not
/// looked at any more.
const LAST_PING: [u8; 8] = [0x0b, 0x7b, 0xa2, 0xf0, 0x8b, 0x9b, 0xfe, 0x54];

/// A SETTINGS frame that leaves everything as it is: a server's first one.
pub(super) const SETTINGS: [u8; HEADER] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

/// Reason of a GOAWAY that is no error.
pub(super) const NO_ERROR: u32 = 0;
/// Reason of a GOAWAY for a peer that asks for too much.
pub(super) const ENHANCE_YOUR_CALM: u32 = 11;

/// A GOAWAY frame: streams above `last_stream` were not begun.
pub(super) fn go_away(last_stream: u32, reason: u32) -> [u8; HEADER + 8] {
    let mut frame = [0; HEADER + 8];
    frame[..HEADER].copy_from_slice(&[0, 0, 8, 7, 0, 0, 0, 0, 0]);
    frame[HEADER..HEADER + 4].copy_from_slice(&last_stream.to_be_bytes());
    frame[HEADER + 4..].copy_from_slice(&reason.to_be_bytes());
    frame
}

/// How far a connection has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Greeting {
    /// It may become HTTP/2.
    Waiting,
    /// It is HTTP/2: the first bytes are there.
    Begun,
    /// It is HTTP/2, and the first frame is there.
    Complete,
    /// It is something else.
    Foreign(Foreign),
}

/// What a peer speaks that does not speak HTTP/2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Foreign {
    /// Text: HTTP/1.1, most likely. `head`: the answer may have no body.
    Text { head: bool },
    /// TLS, which this server does not speak.
    Tls,
    /// Anything else.
    Other,
}

/// Follows the bytes that a peer sends.
#[derive(Debug)]
pub(super) struct Frames {
    greeting: Greeting,
    /// Bytes of the preface that are there.
    preface: usize,
    /// The header of the frame that is being received.
    header: [u8; HEADER],
    filled: usize,
    /// Bytes of the frame's payload that are not there yet.
    missing: usize,
    /// Payload of a PING's acknowledgement, and how much of it is there.
    pong: Option<([u8; 8], usize)>,
    last_stream: u32,
    /// Whether later streams are not looked at any more.
    is_last: bool,
}

impl Frames {
    pub(super) fn new() -> Self {
        Frames {
            greeting: Greeting::Waiting,
            preface: 0,
            header: [0; HEADER],
            filled: 0,
            missing: 0,
            pong: None,
            last_stream: 0,
            is_last: false,
        }
    }

    /// How far the connection has begun.
    pub(super) fn greeting(&self) -> Greeting {
        self.greeting
    }

    /// The highest stream that may have been looked at; 0: none.
    pub(super) fn last_stream(&self) -> u32 {
        self.last_stream
    }

    /// Takes note of bytes that were received.
    pub(super) fn advance(&mut self, data: &[u8]) {
        let mut data = match self.greeting {
            Greeting::Begun | Greeting::Complete => data,
            Greeting::Waiting => self.greet(data),
            Greeting::Foreign(_) => return,
        };
        while !data.is_empty() {
            data = if self.missing > 0 { self.payload(data) } else { self.frame(data) };
        }
    }

    /// Compares with the preface; returns what follows it.
    fn greet<'d>(&mut self, data: &'d [u8]) -> &'d [u8] {
        let rest = &PREFACE[self.preface..];
        let same = data.iter().zip(rest).take_while(|(one, other)| one == other).count();
        if same < data.len().min(rest.len()) {
            let first = if self.preface > 0 { PREFACE[0] } else { data[0] };
            self.greeting = Greeting::Foreign(match first {
                TLS_HANDSHAKE => Foreign::Tls,
                first if first.is_ascii_alphabetic() => {
                    Foreign::Text { head: data.starts_with(b"HEAD ") }
                }
                _ => Foreign::Other,
            });
            return &[];
        }
        self.preface += same;
        if self.preface == PREFACE.len() {
            self.greeting = Greeting::Begun;
        }
        &data[same..]
    }

    /// Takes bytes of a frame's header.
    fn frame<'d>(&mut self, data: &'d [u8]) -> &'d [u8] {
        let taken = data.len().min(HEADER - self.filled);
        self.header[self.filled..self.filled + taken].copy_from_slice(&data[..taken]);
        self.filled += taken;
        if self.filled == HEADER {
            self.filled = 0;
            let [high, middle, low, kind, flags, stream @ ..] = self.header;
            self.missing = u32::from_be_bytes([0, high, middle, low]) as usize;
            let stream = u32::from_be_bytes(stream) & (u32::MAX >> 1);
            if kind == HEADERS && !self.is_last {
                self.last_stream = self.last_stream.max(stream);
            }
            self.pong = (kind == PING && flags & ACK != 0).then_some(([0; 8], 0));
            self.end_frame();
        }
        &data[taken..]
    }

    /// Takes bytes of a frame's payload.
    fn payload<'d>(&mut self, data: &'d [u8]) -> &'d [u8] {
        let (payload, rest) = data.split_at(data.len().min(self.missing));
        if let Some((pong, filled)) = &mut self.pong {
            let taken = payload.len().min(pong.len() - *filled);
            pong[*filled..*filled + taken].copy_from_slice(&payload[..taken]);
            *filled += taken;
            self.is_last |= *pong == LAST_PING;
        }
        self.missing -= payload.len();
        self.end_frame();
        rest
    }

    fn end_frame(&mut self) {
        if self.missing == 0 {
            self.greeting = Greeting::Complete;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        frame
    }

    /// However the bytes are cut.
    fn in_pieces(bytes: &[u8], check: impl Fn(&Frames)) {
        for size in 1..=bytes.len() {
            let mut frames = Frames::new();
            bytes.chunks(size).for_each(|piece| frames.advance(piece));
            check(&frames);
        }
    }

    #[test]
    fn a_greeting_is_complete_after_the_first_frame() {
        in_pieces(&PREFACE[..20], |frames| assert_eq!(frames.greeting(), Greeting::Waiting));
        in_pieces(PREFACE, |frames| assert_eq!(frames.greeting(), Greeting::Begun));
        let settings = [PREFACE, &frame(4, 0, 0, &[0; 6])].concat();
        in_pieces(&settings[..settings.len() - 1], |frames| {
            assert_eq!(frames.greeting(), Greeting::Begun);
        });
        in_pieces(&settings, |frames| assert_eq!(frames.greeting(), Greeting::Complete));
        in_pieces(&[PREFACE, &SETTINGS].concat(), |frames| {
            assert_eq!(frames.greeting(), Greeting::Complete);
        });
    }

    #[test]
    fn other_protocols_are_told_apart() {
        let foreign = |bytes: &[u8]| {
            let mut frames = Frames::new();
            frames.advance(bytes);
            frames.greeting()
        };
        let text = Greeting::Foreign(Foreign::Text { head: false });
        assert_eq!(foreign(b"GET / HTTP/1.1\r\n"), text);
        assert_eq!(foreign(b"POST /x HTTP/1.1\r\n"), text);
        assert_eq!(foreign(b"PRI * HTTP/1.1\r\n"), text);
        let head = Greeting::Foreign(Foreign::Text { head: true });
        assert_eq!(foreign(b"HEAD / HTTP/1.1\r\n"), head);
        assert_eq!(foreign(b"\x16\x03\x01"), Greeting::Foreign(Foreign::Tls));
        assert_eq!(foreign(b"\xff\xff"), Greeting::Foreign(Foreign::Other));
    }

    #[test]
    fn the_last_stream_is_the_highest_before_the_last_ping() {
        let mut bytes = [PREFACE, &SETTINGS].concat();
        bytes.extend(frame(HEADERS, 4, 1, b"abc"));
        bytes.extend(frame(0, 1, 9, b"data names no stream"));
        bytes.extend(frame(HEADERS, 4, 5 | 1 << 31, b"the first bit is reserved"));
        bytes.extend(frame(HEADERS, 5, 3, b"trailers"));
        bytes.extend(frame(PING, 0, 0, &LAST_PING));
        bytes.extend(frame(PING, ACK, 0, b"12345678"));
        bytes.extend(frame(HEADERS, 4, 7, b""));
        in_pieces(&bytes, |frames| assert_eq!(frames.last_stream(), 7));
        bytes.extend(frame(PING, ACK, 0, &LAST_PING));
        bytes.extend(frame(HEADERS, 4, 9, b"too late"));
        in_pieces(&bytes, |frames| assert_eq!(frames.last_stream(), 7));
    }
}
