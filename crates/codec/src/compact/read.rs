//! The fields of a protobuf message, one after the other, without a copy.
//!
//! What always holds: a message is read whole or refused; nothing is skipped.

use prost::encoding::decode_varint;

use crate::error::DecodeError;

/// Bytes that are read from the front.
pub(super) struct Fields<'a>(&'a [u8]);

/// The value of a field, by its type on the wire.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Varint(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Fields<'a> {
        Fields(message)
    }

    /// The next field's number and value; `None` at the end.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, DecodeError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            2 => {
                let len = self.varint()?;
                Value::Bytes(self.take(len)?)
            }
            5 => Value::Fixed32(self.fixed32()?),
            _ => return Err(malformed("a field of a type that the schema has not")),
        };
        Ok(Some((key >> 3, value)))
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, DecodeError> {
        // Most are one byte, which is not worth a call.
        match self.0 {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.0 = rest;
                Ok(u64::from(*byte))
            }
            _ => decode_varint(&mut self.0).map_err(|_| malformed("a varint has no end")),
        }
    }

    #[inline]
    fn take(&mut self, len: u64) -> Result<&'a [u8], DecodeError> {
        let split = usize::try_from(len).ok().and_then(|len| self.0.split_at_checked(len));
        let (taken, rest) = split.ok_or_else(cut_off)?;
        self.0 = rest;
        Ok(taken)
    }

    fn fixed32(&mut self) -> Result<u32, DecodeError> {
        let (four, rest) = self.0.split_first_chunk().ok_or_else(cut_off)?;
        self.0 = rest;
        Ok(u32::from_le_bytes(*four))
    }
}

fn cut_off() -> DecodeError {
    malformed("it is cut off")
}

pub(super) fn malformed(fault: &'static str) -> DecodeError {
    DecodeError::InvalidProtobuf { fault }
}
