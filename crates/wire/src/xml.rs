//! Writing the tree of a structure as XML; shared by query and ec2-query. Requests are never XML.

use crate::model::{Shape, Structure};
use crate::time;
use crate::value::Value;
use base64::Engine as _;

/// A document being written.
#[derive(Debug, Default)]
pub(crate) struct Xml(String);

impl Xml {
    pub(crate) fn finish(self) -> Vec<u8> {
        self.0.into_bytes()
    }

    /// The declaration, where a protocol sends one.
    pub(crate) fn declaration(&mut self) {
        self.0.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    }

    /// The outermost element with its namespace.
    pub(crate) fn root(&mut self, name: &str, namespace: &str, inside: impl FnOnce(&mut Self)) {
        self.0.push('<');
        self.0.push_str(name);
        if !namespace.is_empty() {
            self.0.push_str(" xmlns=\"");
            self.escape(namespace);
            self.0.push('"');
        }
        self.0.push('>');
        inside(self);
        self.close(name);
    }

    pub(crate) fn element(&mut self, name: &str, inside: impl FnOnce(&mut Self)) {
        self.0.push('<');
        self.0.push_str(name);
        self.0.push('>');
        let start = self.0.len();
        inside(self);
        if self.0.len() == start {
            // `<name>` becomes `<name/>`.
            self.0.insert(start - 1, '/');
        } else {
            self.close(name);
        }
    }

    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.0.push('<');
        self.0.push_str(name);
        self.0.push('>');
        self.escape(text);
        self.close(name);
    }

    /// The members of a structure; absent ones are left out.
    pub(crate) fn members(&mut self, structure: &'static Structure, value: &Value) {
        if let Value::Structure(slots) = value {
            for (member, slot) in structure.members.iter().zip(slots) {
                if let Some(value) = slot {
                    self.value(member.wire_out, member.shape, value);
                }
            }
        }
    }

    fn value(&mut self, name: &str, shape: &'static Shape, value: &Value) {
        match (shape, value) {
            (Shape::Structure(inner), _) => self.element(name, |xml| xml.members(inner, value)),
            (Shape::List(list), Value::List(items)) => self.element(name, |xml| {
                for item in items {
                    xml.value(list.item, list.member, item);
                }
            }),
            (Shape::Map(map), Value::Map(items)) => self.element(name, |xml| {
                for (key, item) in items {
                    xml.element("entry", |xml| {
                        xml.text("key", key);
                        xml.value("value", map.value, item);
                    });
                }
            }),
            (Shape::Timestamp(format), Value::Timestamp(at)) => self.text(name, &time::iso(*at, *format)),
            (_, Value::String(text)) => self.text(name, text),
            (_, Value::Integer(n)) => self.text(name, &n.to_string()),
            (_, Value::Double(n)) => self.text(name, &format!("{n:?}")),
            (_, Value::Boolean(b)) => self.text(name, if *b { "true" } else { "false" }),
            (_, Value::Blob(bytes)) => {
                self.text(name, &base64::engine::general_purpose::STANDARD.encode(bytes));
            }
            (_, other) => debug_assert!(false, "{other:?} does not fit its table"),
        }
    }

    fn close(&mut self, name: &str) {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
    }

    /// Text as XML 1.0 can hold it: markup and line ends escaped, characters that it has no form for replaced.
    fn escape(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\r' => self.0.push_str("&#xD;"),
                '\t' | '\n' => self.0.push(c),
                '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => self.0.push('\u{fffd}'),
                _ => self.0.push(c),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_elements_close_themselves_and_text_is_escaped() {
        let mut xml = Xml::default();
        xml.root("R", "urn:x", |xml| {
            xml.element("Empty", |_| {});
            xml.text("T", "a<b>&\"\r\u{1}");
            xml.text("None", "");
        });
        let text = String::from_utf8(xml.finish()).expect("utf-8");
        assert_eq!(text, "<R xmlns=\"urn:x\"><Empty/><T>a&lt;b&gt;&amp;&quot;&#xD;\u{fffd}</T><None></None></R>");
    }
}
