//! Compares what is generated now with the files of a folder that an earlier generator wrote, as
//! code: for who rewrites a template and means to change nothing.
//!
//! `cargo run -p respec-codegen --example compare -- SPEC FOLDER [user]`, where `FOLDER` is the
//! `out/commands` of a build of the crate, or that of a user's crate. Layout does not count, nor a
//! comma behind the last of a list, nor whether an arm of a match has braces.

use std::{env, error::Error, fs, path::Path, process::ExitCode};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use respec_codegen::{generate, render::Root};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let (spec, folder, root) = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [spec, folder] => (spec, folder, Root::Client),
        [spec, folder, "user"] => (spec, folder, Root::User),
        _ => return Err("expected a spec, a folder, and `user` for the code of a user".into()),
    };
    let now = generate(Path::new(spec), root, |_| true)?.files;
    let mut differ = 0;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !now.contains_key(&name) {
            println!("{name}: is not generated any more");
            differ += 1;
        }
    }
    let mut equal = 0;
    for (name, text) in &now {
        let before = fs::read_to_string(Path::new(folder).join(name)).unwrap_or_default();
        let (old, new) = (plain(&before)?, plain(text)?);
        match old.iter().zip(&new).position(|(old, new)| old != new) {
            None if old.len() == new.len() => equal += old.len(),
            at => {
                let at = at.unwrap_or(old.len().min(new.len()));
                let around = at.saturating_sub(12);
                let excerpt = |tokens: &[String]| {
                    let end = tokens.len().min(at + 12);
                    tokens[around.min(end)..end].join(" ")
                };
                println!(
                    "{name}: token {at}\n  - {}\n  + {}",
                    excerpt(&old),
                    excerpt(&new)
                );
                differ += 1;
            }
        }
    }
    println!(
        "{} files, {equal} equal tokens, {differ} files differ",
        now.len()
    );
    Ok(match differ {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// The tokens of a file, parsed and laid out anew, so that only differences of code are left.
fn plain(text: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let code: TokenStream = prettyplease::unparse(&syn::parse_file(text)?).parse()?;
    let mut tokens = Vec::new();
    flatten(code, &mut tokens);
    Ok(tokens)
}

fn flatten(code: TokenStream, to: &mut Vec<String>) {
    let mut tokens: Vec<_> = code.into_iter().collect();
    if tokens.last().is_some_and(|last| is(last, ',')) && tokens.len() > 2 {
        tokens.pop();
    }
    for (at, token) in tokens.iter().enumerate() {
        let arrow = at > 1 && is(&tokens[at - 1], '>') && is(&tokens[at - 2], '=');
        match token {
            TokenTree::Group(group) if arrow && group.delimiter() == Delimiter::Brace => {
                arm(group, to);
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::None => ("", ""),
                };
                to.push(open.to_owned());
                flatten(group.stream(), to);
                to.push(close.to_owned());
            }
            token => to.push(token.to_string()),
        }
    }
}

/// The body of an arm without its braces, and with a comma behind it.
fn arm(body: &Group, to: &mut Vec<String>) {
    let tokens: Vec<_> = body.stream().into_iter().collect();
    let ends = tokens.iter().filter(|token| is(token, ';')).count();
    let single = ends <= 1 && tokens.last().is_none_or(|last| ends == 0 || is(last, ';'));
    if !single || tokens.is_empty() {
        to.push("{".to_owned());
        flatten(body.stream(), to);
        to.push("}".to_owned());
        return;
    }
    flatten(
        tokens.into_iter().filter(|token| !is(token, ';')).collect(),
        to,
    );
    to.push(",".to_owned());
}

fn is(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}
