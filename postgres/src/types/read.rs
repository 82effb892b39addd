//! Which reader belongs to which type.

use penstock::Value;

use super::bytes::Bytes;
use super::{Kind, Mapping, Reason, composite, interval, number, text, time};

impl Mapping {
    pub(super) fn read_text(&self, text: &str) -> Result<Value, Reason> {
        Ok(match &self.kind {
            Kind::Boolean => match text {
                "t" | "true" => Value::Bool(true),
                "f" | "false" => Value::Bool(false),
                other => return Err(format!("{other:?} is neither t nor f")),
            },
            Kind::Int2 => number::integer::<i16>(text)?,
            Kind::Int4 => number::integer::<i32>(text)?,
            Kind::Int8 => number::integer::<i64>(text)?,
            Kind::Oid => number::integer::<u32>(text)?,
            Kind::Float4 => number::double::<f32>(text)?,
            Kind::Float8 => number::double::<f64>(text)?,
            Kind::Numeric => number::numeric(text)?,
            Kind::Date => Value::Float(time::date(text)?),
            Kind::Time => Value::Float(time::time(text)?),
            Kind::Timetz => Value::Float(time::timetz(text)?),
            Kind::Timestamp => Value::Float(time::timestamp(text, false)?),
            Kind::Timestamptz => Value::Float(time::timestamp(text, true)?),
            Kind::Interval => Value::Text(interval::interval(text)?.into()),
            Kind::Text | Kind::TextOnly | Kind::Uuid | Kind::Macaddr | Kind::Bits => {
                Value::Text(text.into())
            }
            Kind::Bytea => Value::Blob(text::bytea(text)?.into()),
            Kind::Json | Kind::Jsonb => Value::Json(text.into()),
            Kind::Array(array) => Value::Json(array.text(text)?.into()),
            Kind::Composite(fields) => Value::Json(composite::text(fields, text)?.into()),
        })
    }

    pub(super) fn read_binary(&self, bytes: &[u8]) -> Result<Value, Reason> {
        let mut fixed = Bytes::new(bytes);
        let value = match &self.kind {
            Kind::Boolean => match fixed.array()? {
                [0] => Value::Bool(false),
                [1] => Value::Bool(true),
                [other] => return Err(format!("{other} is neither 0 nor 1")),
            },
            Kind::Int2 => Value::Int(fixed.i16()?.into()),
            Kind::Int4 => Value::Int(fixed.i32()?.into()),
            Kind::Int8 => Value::Int(fixed.i64()?),
            Kind::Oid => Value::Int(fixed.u32()?.into()),
            Kind::Float4 => number::float(f32::from_be_bytes(fixed.array()?).into()),
            Kind::Float8 => number::float(f64::from_be_bytes(fixed.array()?)),
            _ => return self.read_other(bytes),
        };
        fixed.end()?;
        Ok(value)
    }

    fn read_other(&self, bytes: &[u8]) -> Result<Value, Reason> {
        Ok(match &self.kind {
            Kind::Numeric => number::numeric_binary(bytes)?,
            Kind::Date => Value::Float(time::date_binary(bytes)?),
            Kind::Time => Value::Float(time::time_binary(bytes)?),
            Kind::Timetz => Value::Float(time::timetz_binary(bytes)?),
            Kind::Timestamp | Kind::Timestamptz => Value::Float(time::timestamp_binary(bytes)?),
            Kind::Interval => Value::Text(interval::interval_binary(bytes)?.into()),
            Kind::Text => Value::Text(unicode(bytes)?.into()),
            Kind::Uuid => Value::Text(text::uuid(bytes)?.into()),
            Kind::Macaddr => Value::Text(text::macaddr(bytes)?.into()),
            Kind::Bits => Value::Text(text::bits(bytes)?.into()),
            Kind::Bytea => Value::Blob(bytes.into()),
            Kind::Json => Value::Json(unicode(bytes)?.into()),
            Kind::Jsonb => {
                let mut bytes = Bytes::new(bytes);
                match bytes.array()? {
                    [1] => Value::Json(unicode(bytes.rest())?.into()),
                    [version] => return Err(format!("version {version} is not known")),
                }
            }
            Kind::Array(array) => Value::Json(array.binary(bytes)?.into()),
            Kind::Composite(fields) => Value::Json(composite::binary(fields, bytes)?.into()),
            _ => return Err("its binary form is not known; it must be asked for as text".into()),
        })
    }
}

fn unicode(bytes: &[u8]) -> Result<&str, Reason> {
    str::from_utf8(bytes).map_err(|error| format!("it is not UTF-8: {error}"))
}
