//! The price of each client: what a small program pays for depending on it.
//!
//! Each client gets a fresh project in a temporary directory with one program, which sets and gets
//! a key. What is built there was downloaded before.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Instant, SystemTime},
};

use crate::{clients::Result, machine, report::median};

/// A client with its program.
struct Client {
    name: &'static str,
    /// What goes below `[dependencies]`, besides tokio.
    dependency: &'static str,
    /// The features of tokio that the program needs.
    tokio: &'static str,
    /// The body of an async `main` that returns a result.
    program: &'static str,
}

const CLIENTS: &[Client] = &[
    Client {
        name: "tokio",
        dependency: "",
        tokio: r#""io-util", "macros", "net", "rt-multi-thread""#,
        program: r#"
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect("127.0.0.1:6379").await?;
    stream.write_all(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n").await?;
    let mut reply = [0; 64];
    let read = stream.read(&mut reply).await?;
    println!("{:?}", &reply[..read]);
"#,
    },
    Client {
        name: "respec",
        dependency: r#"respec = { path = "{respec}" }"#,
        tokio: r#""macros", "rt-multi-thread""#,
        program: r#"
    use respec::prelude::*;
    let client = respec::Client::connect("redis://127.0.0.1:6379").await?;
    client.set("k", "v").await?;
    println!("{:?}", client.get("k").await?);
"#,
    },
    Client {
        name: "redis1",
        dependency: r#"redis = { version = "1.8", features = ["tokio-comp"] }"#,
        tokio: r#""macros", "rt-multi-thread""#,
        program: REDIS,
    },
    Client {
        name: "redis2",
        dependency: r#"redis = { version = "=2.0.0-rc.2", features = ["tokio-comp"] }"#,
        tokio: r#""macros", "rt-multi-thread""#,
        program: REDIS,
    },
    Client {
        name: "fred",
        dependency: r#"fred = "10.1""#,
        tokio: r#""macros", "rt-multi-thread""#,
        program: r#"
    use fred::prelude::*;
    let config = Config::from_url("redis://127.0.0.1:6379")?;
    let client = Builder::from_config(config).build()?;
    client.init().await?;
    let () = client.set("k", "v", None, None, false).await?;
    println!("{:?}", client.get::<Option<String>, _>("k").await?);
"#,
    },
    Client {
        name: "rustis",
        dependency: r#"rustis = "0.27""#,
        tokio: r#""macros", "rt-multi-thread""#,
        program: r#"
    use rustis::{client::Client, commands::StringCommands};
    let client = Client::connect("127.0.0.1:6379").await?;
    client.set("k", "v").await?;
    println!("{:?}", client.get::<Option<String>>("k").await?);
"#,
    },
];

const REDIS: &str = r#"
    use redis::AsyncCommands;
    let client = redis::Client::open("redis://127.0.0.1:6379")?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let () = connection.set("k", "v").await?;
    println!("{:?}", connection.get::<_, Option<String>>("k").await?);
"#;

/// What was measured for one client.
struct Price {
    name: &'static str,
    crates: usize,
    /// Megabytes of the stripped program.
    size: f64,
    check: Vec<Spent>,
    release: Vec<Spent>,
    again: Vec<Spent>,
}

/// The time that a command took.
#[derive(Clone, Copy)]
struct Spent {
    wall: f64,
    cpu: f64,
}

/// Measures all clients in turns, and prints a table.
pub(crate) fn print(arguments: &[String]) -> Result<()> {
    let mut rounds: usize = 2;
    let mut clients: Vec<&Client> = CLIENTS.iter().collect();
    for option in arguments.chunks(2) {
        match option {
            [name, value] if name == "--rounds" => rounds = value.parse()?,
            [name, value] if name == "--who" => {
                let wanted: Vec<&str> = value.split(',').collect();
                clients.retain(|client| wanted.contains(&client.name));
            }
            _ => return Err("price takes --rounds and --who".into()),
        }
    }
    let directory = Temporary::create()?;
    let projects = clients
        .iter()
        .map(|client| Project::create(client, &directory.0))
        .collect::<Result<Vec<_>>>()?;
    let mut prices = Vec::new();
    for (client, project) in clients.iter().zip(&projects) {
        prices.push(Price {
            name: client.name,
            crates: project.crates()?,
            size: 0.0,
            check: Vec::new(),
            release: Vec::new(),
            again: Vec::new(),
        });
    }
    for round in 0..rounds {
        for turn in 0..projects.len() {
            let index = (round + turn) % projects.len();
            let (project, price) = (&projects[index], &mut prices[index]);
            eprintln!("round {}/{rounds}  {}", round + 1, price.name);
            project.clean()?;
            price.check.push(project.cargo(&["check"])?);
            project.clean()?;
            price.release.push(project.cargo(&["build", "--release"])?);
            price.size = project.size()?;
            project.clean()?;
            project.cargo(&["build"])?;
            project.touch()?;
            price.again.push(project.cargo(&["build"])?);
        }
    }
    println!("What `tokio` costs alone is the floor.\n");
    println!(
        "| client | crates | cold `cargo check`, wall / CPU s | cold release build, wall / CPU s | \
         debug build after a change, wall / CPU s | stripped program |\n|---|---|---|---|---|---|"
    );
    for price in prices {
        println!(
            "| {} | {} | {} | {} | {} | {:.2} MB |",
            price.name,
            price.crates,
            medians(&price.check),
            medians(&price.release),
            medians(&price.again),
            price.size
        );
    }
    Ok(())
}

/// A directory that is deleted in the end.
struct Temporary(PathBuf);

impl Temporary {
    fn create() -> Result<Self> {
        let name = format!("respec-price-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir(&directory)?;
        Ok(Self(directory))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What is left in the temporary directory harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Project {
    directory: PathBuf,
}

impl Project {
    /// Writes the project and downloads what it needs.
    fn create(client: &Client, parent: &Path) -> Result<Self> {
        let project = Self {
            directory: parent.join(client.name),
        };
        fs::create_dir_all(project.directory.join("src"))?;
        let respec = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let respec = respec.canonicalize()?.display().to_string();
        let manifest = format!(
            "[package]\nname = \"program\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [dependencies]\ntokio = {{ version = \"1\", features = [{}] }}\n{}\n\n\
             [profile.release]\nstrip = true\n\n[workspace]\n",
            client.tokio,
            client.dependency.replace("{respec}", &respec)
        );
        fs::write(project.directory.join("Cargo.toml"), manifest)?;
        let program = format!(
            "#[tokio::main]\nasync fn main() -> Result<(), Box<dyn std::error::Error>> {{{}    \
             Ok(())\n}}\n",
            client.program
        );
        fs::write(project.main(), program)?;
        project.run(&["fetch"])?;
        Ok(project)
    }

    /// How many crates are compiled, besides the program.
    fn crates(&self) -> Result<usize> {
        let edges = "normal,build";
        let tree = self.run(&["tree", "--offline", "--prefix", "none", "-e", edges])?;
        let crates: BTreeSet<_> = tree
            .lines()
            .filter_map(|line| {
                let mut words = line.split(' ');
                Some((words.next()?, words.next()?))
            })
            .collect();
        Ok(crates.len() - 1)
    }

    fn cargo(&self, arguments: &[&str]) -> Result<Spent> {
        let (begin, cpu) = (Instant::now(), machine::children()?);
        self.run(&[arguments, &["--offline"]].concat())?;
        Ok(Spent {
            wall: begin.elapsed().as_secs_f64(),
            cpu: machine::children()? - cpu,
        })
    }

    fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new("cargo")
            .args(arguments)
            .current_dir(&self.directory)
            .env("CARGO_TARGET_DIR", self.target())
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr);
            return Err(format!("cargo {}: {message}", arguments.join(" ")).into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    fn clean(&self) -> Result<()> {
        match fs::remove_dir_all(self.target()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Makes cargo believe that the program has changed.
    fn touch(&self) -> Result<()> {
        let main = File::options().append(true).open(self.main())?;
        Ok(main.set_modified(SystemTime::now())?)
    }

    /// Megabytes of the program.
    fn size(&self) -> Result<f64> {
        let size = fs::metadata(self.target().join("release/program"))?.len();
        #[expect(clippy::cast_precision_loss, reason = "no program is that large")]
        let size = size as f64 / 1e6;
        Ok(size)
    }

    fn main(&self) -> PathBuf {
        self.directory.join("src/main.rs")
    }

    fn target(&self) -> PathBuf {
        self.directory.join("target")
    }
}

fn medians(spent: &[Spent]) -> String {
    let of = |figure: fn(&Spent) -> f64| median(spent.iter().map(figure).collect());
    match of(|spent| spent.wall).zip(of(|spent| spent.cpu)) {
        Some((wall, cpu)) => format!("{wall:.1} / {cpu:.1}"),
        None => String::from("–"),
    }
}
