//! The walk of docs/guide/calls.md, taken as it stands there: every block by bash and curl against a shop that nobody has used,
//! and what it prints compared with what the page says. That the walk leaves no call out, tests/conventions tells.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use reqwest::{Method, StatusCode};
use tests::wait::until;

use crate::given::{ADMIN_EMAIL, ADMIN_PASSWORD, Shop};

const PAGE: &str = "docs/guide/calls.md";
/// A byte that ends what a block has printed.
const END: char = '\u{1e}';
/// Longer than the walk takes on a busy machine.
const SECONDS: &str = "600";

/// A block of the page.
#[derive(Debug)]
struct Block {
    /// Of the page, from 1.
    line: usize,
    commands: String,
    /// What it prints; `…` stands for anything in a line.
    answers: Vec<String>,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (line, text) in page.lines().enumerate() {
        match (&mut open, text) {
            (None, "```sh") => open = Some(Block { line: line + 1, commands: String::new(), answers: Vec::new() }),
            (None, _) => {}
            (Some(_), "```") => blocks.extend(open.take()),
            (Some(block), text) => match text.strip_prefix("#> ") {
                Some(answer) => block.answers.push(answer.to_owned()),
                None => writeln!(block.commands, "{text}").unwrap(),
            },
        }
    }
    assert!(open.is_none(), "the last block has no end");
    blocks
}

/// Whether a line is as the page says.
fn fits(answer: &str, line: &str) -> bool {
    let mut parts = answer.split('…');
    let Some(mut rest) = parts.next().and_then(|start| line.strip_prefix(start)) else { return false };
    let Some(end) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(end)
}

/// What is not as the page says.
fn differences(blocks: &[Block], printed: &str) -> Vec<String> {
    let mut different = Vec::new();
    for (block, printed) in blocks.iter().zip(printed.split(END)) {
        let printed: Vec<_> = printed.lines().collect();
        let is_as_said = printed.len() == block.answers.len()
            && block.answers.iter().zip(&printed).all(|(answer, line)| fits(answer, line));
        if !is_as_said {
            let (said, printed) = (block.answers.join("\n  "), printed.join("\n  "));
            different.push(format!("block at line {} says\n  {said}\nand prints\n  {printed}", block.line));
        }
    }
    different
}

fn walk(blocks: &[Block], folder: &Path, base: &str) -> Output {
    let mut script = "set -euo pipefail\n".to_owned();
    for block in blocks {
        writeln!(script, "{}printf '\\036'", block.commands).unwrap();
    }
    std::fs::write(folder.join("walk"), script).unwrap();
    Command::new("timeout")
        .args([SECONDS, "bash", "walk"])
        .current_dir(folder)
        .env("HOME", folder)
        .env("no_proxy", "*")
        .env("BASE_URL", base)
        .env("ADMIN_EMAIL", ADMIN_EMAIL)
        .env("ADMIN_PASSWORD", ADMIN_PASSWORD)
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_guide_prints_what_the_guide_says() {
    let shop = Shop::open().await;
    let anybody = shop.customer();
    let health = || async { anybody.send(Method::GET, "/health", None, None).await.status };
    until("the shop is well", health, StatusCode::is_success).await;
    let blocks = blocks(&std::fs::read_to_string(tests::path(PAGE)).unwrap());
    assert!(blocks.len() > 30, "{}", blocks.len());
    let folder = tempfile::tempdir().unwrap();
    let base = shop.services.url("");
    let (blocks, output) = tokio::task::spawn_blocking(move || {
        let output = walk(&blocks, folder.path(), &base);
        (blocks, output)
    })
    .await
    .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let mut wrong = differences(&blocks, &printed);
    if !output.status.success() {
        let last = printed.matches(END).count();
        let line = blocks.get(last).map_or(0, |block| block.line);
        let said = String::from_utf8_lossy(&output.stderr);
        wrong.push(format!("block at line {line} ended the walk with {}: {said}", output.status));
    }
    assert!(wrong.is_empty(), "{PAGE}:\n{}", wrong.join("\n"));
}

#[test]
fn an_answer_that_is_not_as_the_page_says_is_told_with_its_line() {
    let page = "Text.\n\n```sh\necho 1\n#> 1\n```\n\n```sh\necho 2\necho 3\n#> …\n#> 3\n```\n";
    let blocks = blocks(page);
    let different = |printed| differences(&blocks, printed);
    assert_eq!(blocks.iter().map(|block| block.line).collect::<Vec<_>>(), [3, 8]);
    assert_eq!(blocks[1].commands, "echo 2\necho 3\n");
    assert!(different("1\n\u{1e}2\n3\n\u{1e}").is_empty());
    for (printed, line) in [("2\n\u{1e}2\n3\n\u{1e}", 3), ("1\n\u{1e}2\n\u{1e}", 8), ("1\n1\n\u{1e}2\n3\n\u{1e}", 3)] {
        let told = different(printed);
        assert!(told.len() == 1 && told[0].starts_with(&format!("block at line {line} says")), "{told:?}");
    }
}

#[test]
fn three_dots_stand_for_anything_in_a_line() {
    for (answer, line, is_fit) in [
        ("{\"id\":\"…\",\"n\":1}", "{\"id\":\"x\",\"n\":1}", true),
        ("{\"id\":\"…\",\"n\":1}", "{\"id\":\"x\",\"n\":2}", false),
        ("a…b…c", "a1b2c", true),
        ("a…b…c", "a1c", false),
        ("…", "", true),
        ("a", "ab", false),
    ] {
        assert_eq!(fits(answer, line), is_fit, "{answer} {line}");
    }
}
