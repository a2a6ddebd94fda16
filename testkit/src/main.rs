//! Installs the servers, runs one or a cluster, or looks for secrets, from the command line.

use std::env;
use std::fs;
use std::io;
use std::process::ExitCode;

use respec_testkit::{Cluster, Error, Server, Variant, canary};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match args.as_slice() {
        ["install"] => install(&Variant::ALL),
        ["install", names @ ..] => {
            let variants: Result<Vec<Variant>, Error> = names.iter().map(|n| n.parse()).collect();
            variants.and_then(|variants| install(&variants))
        }
        ["cluster", name] => name.parse().and_then(cluster),
        ["canary", files @ ..] if !files.is_empty() => return look_for_secrets(files),
        ["run", name, options @ ..] => name.parse().and_then(|variant| run(variant, options)),
        _ => {
            let names = Variant::ALL.map(Variant::name).join("|");
            eprintln!("usage: respec-testkit install [{names}]…");
            eprintln!("       respec-testkit run <{names}> [--server-option value]…");
            eprintln!("       respec-testkit cluster <{names}>");
            eprintln!("       respec-testkit canary FILE…");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

/// Tells each line of the files in which a secret of a test is printed, and fails if there is one.
///
/// A file that cannot be read, or is empty, proves nothing, and is a failure as well.
fn look_for_secrets(files: &[&str]) -> ExitCode {
    let mut result = ExitCode::SUCCESS;
    let mut fail = |what: String| {
        eprintln!("{what}");
        result = ExitCode::FAILURE;
    };
    for file in files {
        let text = match fs::read(file) {
            Ok(bytes) if bytes.is_empty() => {
                fail(format!("{file} is empty"));
                continue;
            }
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => {
                fail(format!("{file}: {error}"));
                continue;
            }
        };
        let mut from = 0;
        while let Some(at) = canary::find(&text[from..]) {
            let at = from + at;
            fail(format!(
                "{file} holds a secret: {}",
                canary::in_front(&text, at)
            ));
            from = text[at..].find('\n').map_or(text.len(), |end| at + end);
        }
    }
    result
}

/// Tries them all, so that everything that is missing is named at once.
fn install(variants: &[Variant]) -> Result<(), Error> {
    let mut result = Ok(());
    for variant in variants {
        match variant.locate() {
            Ok(installation) => {
                let (version, origin) = (installation.version(), installation.origin());
                let binary = installation.binary().display();
                println!(
                    "{:<8}  {version:<7}  {origin:<11}  {binary}",
                    variant.name()
                );
                for module in installation.modules() {
                    println!("{:<30}  {}", "", module.display());
                }
            }
            Err(error) => {
                if let Err(earlier) = std::mem::replace(&mut result, Err(error)) {
                    eprintln!("{earlier:?}");
                }
            }
        }
    }
    result
}

/// Ctrl-C ends this process without further ado, and the watchdog then ends the server.
fn run(variant: Variant, options: &[&str]) -> Result<(), Error> {
    let server = Server::builder(variant)
        .args(options.iter().copied())
        .start()?;
    println!("{}\n{}", server.url(), server.unix_url());
    wait_for_end_of_input();
    server.stop()
}

fn cluster(variant: Variant) -> Result<(), Error> {
    let cluster = Cluster::start(variant)?;
    println!("{}", cluster.url());
    wait_for_end_of_input();
    Ok(())
}

fn wait_for_end_of_input() {
    // An unreadable stdin is a closed one.
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
}
