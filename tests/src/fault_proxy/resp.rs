//! Where a message of Redis's protocol ends, and which words a command has.
//!
//! Just enough to count commands and replies. No value is interpreted, and the
//! proxy passes on the bytes as they came.
//!
//! Source: the specification of RESP2 and RESP3 in Redis's documentation ("Redis
//! serialization protocol specification"). The streamed forms (`$?`, `*?`), which
//! no Redis sends, are refused.

/// How deep arrays may stand in arrays. Redis's own replies need five or so.
const DEPTH_MAX: usize = 64;

/// Bytes that are not Redis's protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotResp;

/// The length in bytes of the first whole message of `bytes`, or `None` while it
/// has not arrived completely.
///
/// An attribute (`|`) counts as a part of the reply that follows it.
pub(super) fn message_length(bytes: &[u8]) -> Result<Option<usize>, NotResp> {
    value_end(bytes, 0, DEPTH_MAX)
}

/// Whether a message is one that Redis sends unasked (a push, `>`), so that it
/// answers no command.
pub(super) fn is_push(message: &[u8]) -> bool {
    message.first() == Some(&b'>')
}

/// As [`message_length`], for a command: an array, or a plain line as people type
/// it by hand.
pub(super) fn command_length(bytes: &[u8]) -> Result<Option<usize>, NotResp> {
    match bytes.first() {
        None => Ok(None),
        Some(b'*') => message_length(bytes),
        Some(_) => Ok(line_end(bytes, 0)),
    }
}

/// The words of a whole command.
pub(super) fn command_words(command: &[u8]) -> Result<Vec<Vec<u8>>, NotResp> {
    if command.first() != Some(&b'*') {
        let words = command.split(u8::is_ascii_whitespace);
        return Ok(words
            .filter(|word| !word.is_empty())
            .map(<[u8]>::to_vec)
            .collect());
    }
    let mut start = line_end(command, 0).ok_or(NotResp)?;
    let mut words = Vec::new();
    while start < command.len() {
        let text = line_end(command, start).ok_or(NotResp)?;
        let end = value_end(command, start, 1)?.ok_or(NotResp)?;
        words.push(command.get(text..end - 2).ok_or(NotResp)?.to_vec());
        start = end;
    }
    Ok(words)
}

/// Where the value that begins at `start` ends.
fn value_end(bytes: &[u8], start: usize, depth: usize) -> Result<Option<usize>, NotResp> {
    let Some(kind) = bytes.get(start) else {
        return Ok(None);
    };
    let Some(line) = line_end(bytes, start) else {
        return Ok(None);
    };
    let size = || size_in(&bytes[start + 1..line - 2]);
    match kind {
        b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => Ok(Some(line)),
        b'$' | b'!' | b'=' => Ok(match size()? {
            None => Some(line),
            Some(size) => Some(line + size + 2).filter(|end| *end <= bytes.len()),
        }),
        b'*' | b'~' | b'>' => values_end(bytes, line, size()?.unwrap_or(0), depth),
        b'%' => values_end(bytes, line, size()?.unwrap_or(0) * 2, depth),
        b'|' => values_end(bytes, line, size()?.unwrap_or(0) * 2 + 1, depth),
        _ => Err(NotResp),
    }
}

/// Where `count` values in a row end.
fn values_end(
    bytes: &[u8],
    start: usize,
    count: usize,
    depth: usize,
) -> Result<Option<usize>, NotResp> {
    let depth = depth.checked_sub(1).ok_or(NotResp)?;
    let mut end = start;
    for _ in 0..count {
        match value_end(bytes, end, depth)? {
            Some(next) => end = next,
            None => return Ok(None),
        }
    }
    Ok(Some(end))
}

/// The index behind the `\r\n` of the line that begins at `start`.
fn line_end(bytes: &[u8], start: usize) -> Option<usize> {
    let newline = bytes
        .get(start..)?
        .windows(2)
        .position(|pair| pair == b"\r\n")?;
    Some(start + newline + 2)
}

/// A size; `-1` is RESP2's null and has none.
fn size_in(digits: &[u8]) -> Result<Option<usize>, NotResp> {
    if digits == b"-1" {
        return Ok(None);
    }
    let text = std::str::from_utf8(digits).map_err(|_| NotResp)?;
    // Redis takes at most 512 MB; more could overflow the sums above.
    let size = text.parse::<u32>().map_err(|_| NotResp)?;
    usize::try_from(size).map(Some).map_err(|_| NotResp)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MESSAGES: [&[u8]; 19] = [
        b"+OK\r\n",
        b"-ERR no\r\n",
        b":-12\r\n",
        b"$-1\r\n",
        b"$0\r\n\r\n",
        b"$4\r\na\r\nb\r\n",
        b"*-1\r\n",
        b"*0\r\n",
        b"*2\r\n:1\r\n*1\r\n$1\r\nx\r\n",
        b"_\r\n",
        b"#t\r\n",
        b",1.5\r\n",
        b"(3492890328409238509324850943850943825024385\r\n",
        b"!5\r\nERR x\r\n",
        b"=7\r\ntxt:abc\r\n",
        b"%1\r\n+k\r\n%1\r\n+k\r\n:1\r\n",
        b"~2\r\n:1\r\n:2\r\n",
        b">2\r\n+message\r\n+x\r\n",
        b"|1\r\n+ttl\r\n:3\r\n*1\r\n:7\r\n",
    ];

    #[test]
    fn every_kind_of_message_ends_where_it_ends_and_not_before() {
        for message in MESSAGES {
            let shown = String::from_utf8_lossy(message);
            for cut in 0..message.len() {
                assert_eq!(
                    message_length(&message[..cut]),
                    Ok(None),
                    "{shown:?} cut at {cut}"
                );
            }
            let followed = [message, b"+next\r\n"].concat();
            assert_eq!(
                message_length(&followed),
                Ok(Some(message.len())),
                "{shown:?}"
            );
        }
    }

    #[test]
    fn what_is_not_the_protocol_is_refused() {
        let deep = "*1\r\n".repeat(DEPTH_MAX + 1);
        for bytes in [
            "HTTP/1.1 200 OK\r\n",
            "$x\r\n",
            "$?\r\n",
            "*-2\r\n",
            deep.as_str(),
        ] {
            assert_eq!(message_length(bytes.as_bytes()), Err(NotResp), "{bytes:?}");
        }
    }

    #[test]
    fn a_line_typed_by_hand_is_a_command_too() {
        assert_eq!(command_length(b"SET a  b\r\nGET a\r\n"), Ok(Some(10)));
        assert_eq!(
            command_words(b"SET a  b\r\n").unwrap(),
            [b"SET".to_vec(), b"a".to_vec(), b"b".to_vec()]
        );
    }

    proptest! {
        #[test]
        fn the_words_of_a_command_come_back_as_they_were(
            words in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..10),
        ) {
            let mut command = format!("*{}\r\n", words.len()).into_bytes();
            for word in &words {
                command.extend(format!("${}\r\n", word.len()).into_bytes());
                command.extend(word);
                command.extend(b"\r\n");
            }
            prop_assert_eq!(command_length(&command), Ok(Some(command.len())));
            prop_assert_eq!(command_words(&command), Ok(words));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _read = (message_length(&bytes), command_length(&bytes), command_words(&bytes));
        }
    }
}
