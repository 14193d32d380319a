//! YAML that every reader takes the same way. `kubectl` and helm still read YAML 1.1, in which the bare words `on`, `off`,
//! `yes`, `no`, `y` and `n` are true and false; the writer knows 1.2 alone and leaves them bare.

use serde::Serialize;

/// Writes a value, with those words in quotes.
///
/// # Errors
/// When the value cannot be written as YAML.
pub(crate) fn to_string(value: &impl Serialize) -> Result<String, serde_yaml_ng::Error> {
    Ok(quoted(&serde_yaml_ng::to_string(value)?))
}

fn quoted(text: &str) -> String {
    // The indentation of the key that a text of several lines belongs to.
    let mut block: Option<usize> = None;
    let mut quoted = String::with_capacity(text.len());
    for line in text.lines() {
        let content = line.trim_start();
        let indentation = line.len() - content.len();
        if block.is_some_and(|of| content.is_empty() || indentation > of) {
            quoted.push_str(line);
        } else {
            block = begins_block(content).then_some(indentation);
            quoted.push_str(&quoted_line(line));
        }
        quoted.push('\n');
    }
    quoted
}

fn begins_block(content: &str) -> bool {
    let last = content.rsplit(' ').next().unwrap_or_default();
    matches!(last, "|" | "|-" | "|+" | ">" | ">-" | ">+")
}

fn quoted_line(line: &str) -> String {
    let Some((before, word)) = line.rsplit_once(' ') else { return line.to_owned() };
    let is_value = before.ends_with(':') || before.trim_start() == "-" || before.ends_with(" -");
    if is_value && is_boolean_in_1_1(word) { format!("{before} '{word}'") } else { line.to_owned() }
}

fn is_boolean_in_1_1(word: &str) -> bool {
    ["y", "n", "yes", "no", "on", "off"].contains(&word.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_are_booleans_to_some_readers_are_quoted() {
        let value = serde_json::json!({
            "a": "On", "b": ["Off", "no", "Open"], "c": true, "d": { "on": "NO" }, "e": [{ "f": "y" }], "g": "on and off",
        });
        let text = to_string(&value).unwrap();
        for line in ["a: 'On'", "- 'Off'", "- 'no'", "- Open", "c: true", "- f: 'y'", "g: on and off"] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(text.contains(": 'NO'"), "{text}");
        assert_eq!(serde_yaml_ng::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn the_lines_of_a_longer_text_stay_as_they_are() {
        let value = serde_json::json!({ "a": { "b": "gzip: on\n- off\n\nend: no\n", "c": "off" } });
        let text = to_string(&value).unwrap();
        assert_eq!(serde_yaml_ng::from_str::<serde_json::Value>(&text).unwrap(), value, "{text}");
        assert!(text.contains("gzip: on\n") && text.contains("c: 'off'"), "{text}");
    }
}
