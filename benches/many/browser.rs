//! A page in a real browser: opened, scrolled to its end, with every folded group opened, and scrolled to its end again, which
//! takes a hundred pictures at most.
//!
//! The browser is a headless Chromium, or one that is made from it, spoken to over the pipes of its `DevTools` protocol: JSON
//! with a zero byte after each message.

use std::{
    env,
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::Failure;

/// Names of the program.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];
/// For how long an answer is waited for.
const PATIENCE: Duration = Duration::from_mins(3);

/// What a page took.
pub(crate) struct Shown {
    /// From asking for it until it could be scrolled.
    pub(crate) opened: Duration,
    /// Scrolling from its start to its end, as it was opened.
    pub(crate) scrolled: Duration,
    /// Opening every folded group, one after the other.
    pub(crate) unfolded: Duration,
    /// Scrolling from the start to the end again with all of them open.
    pub(crate) scrolled_open: Duration,
    /// The longest time between two pictures while it was scrolled.
    pub(crate) longest: Duration,
    /// Groups that were folded.
    pub(crate) groups: u64,
    /// Height of the page in pixels, as it was opened and with every group open.
    pub(crate) heights: (u64, u64),
}

/// The browser of this machine: what `CHROMIUM` names, or the first that is found; nothing where there is none.
pub(crate) fn find() -> Option<PathBuf> {
    let named = env::var_os("CHROMIUM").map(PathBuf::from);
    let paths = env::var_os("PATH").unwrap_or_default();
    let places = || env::split_paths(&paths).flat_map(|folder| NAMES.map(|name| folder.join(name)));
    named.or_else(|| places().find(|place| place.is_file()))
}

/// Scrolls in steps of half a window or a hundredth of the page, one a picture; gives the time and the longest one between two pictures.
const SCROLL: &str = "
async function picture() { return new Promise(done => requestAnimationFrame(() => setTimeout(done, 0))) }
async function toEnd() {
  const page = document.scrollingElement, started = performance.now();
  const step = Math.max(innerHeight / 2, page.scrollHeight / 100);
  let longest = 0;
  for (let y = 0; ; y += step) {
    const before = performance.now();
    page.scrollTop = y;
    await picture();
    longest = Math.max(longest, performance.now() - before);
    if (page.scrollTop + innerHeight >= page.scrollHeight - 1) break;
  }
  return {took: Math.round(performance.now() - started), longest: Math.round(longest), height: page.scrollHeight};
}
";

/// Shows a file.
///
/// # Errors
/// When there is no answer, or the page does not come to its end.
pub(crate) fn show(program: &Path, file: &Path, folder: &Path) -> Result<Shown, Failure> {
    let mut browser = Browser::start(program, folder)?;
    let started = Instant::now();
    let page = browser.open(&format!("file://{}", file.display()))?;
    // Whatever is asked before the page is there is answered by the empty one before it, or by none.
    let ready = format!(
        "(async () => {{ {SCROLL}; await picture(); return document.readyState + ' ' + location.protocol }})()"
    );
    while !browser.evaluate(&page, &ready).is_ok_and(|told| told == "complete file:") {
        if started.elapsed() > PATIENCE {
            return Err(format!("{} does not open", file.display()).into());
        }
        thread::sleep(Duration::from_millis(20));
    }
    let opened = started.elapsed();
    let first = browser.evaluate(&page, &format!("(async () => {{ {SCROLL}; return toEnd() }})()"))?;
    // A picture after each group, as for somebody who opens one after the other; what is folded in one is opened in the last.
    let unfold = format!(
        "(async () => {{ {SCROLL}; const started = performance.now(); let groups = 0, last;
        for (const group of document.querySelectorAll('details:not([open])')) {{
          if (group.parentElement.closest('details')) continue;
          group.open = true; groups++; last = group;
          await picture();
        }}
        for (const inner of last?.querySelectorAll('details') ?? []) inner.open = true;
        document.scrollingElement.scrollTop = 0;
        await picture();
        const unfolding = Math.round(performance.now() - started);
        return {{...await toEnd(), unfolding, groups}} }})()"
    );
    let second = browser.evaluate(&page, &unfold)?;
    let number = |of: &Value, name: &str| of[name].as_u64().ok_or(format!("no `{name}` in {of}"));
    let time = |of: &Value, name: &str| number(of, name).map(Duration::from_millis);
    Ok(Shown {
        opened,
        scrolled: time(&first, "took")?,
        unfolded: time(&second, "unfolding")?,
        scrolled_open: time(&second, "took")?,
        longest: time(&first, "longest")?.max(time(&second, "longest")?),
        groups: number(&second, "groups")?,
        heights: (number(&first, "height")?, number(&second, "height")?),
    })
}

/// A browser that runs; it ends with this.
struct Browser {
    child: Child,
    asks: File,
    answers: Receiver<Value>,
    asked: u64,
}

impl Browser {
    fn start(program: &Path, folder: &Path) -> Result<Self, Failure> {
        let [asks, answers] = ["asks", "answers"].map(|name| folder.join(name));
        if !Command::new("mkfifo").arg(&asks).arg(&answers).status()?.success() {
            return Err("there are no pipes: mkfifo failed".into());
        }
        // The page is our own and runs nothing, so that no sandbox is missed where there can be none.
        let child = Command::new("sh")
            .args(["-c", r#"exec "$0" "$@" 3<"$ASKS" 4>"$ANSWERS""#])
            .arg(program)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--user-data-dir={}", folder.join("browser").display()))
            .arg("about:blank")
            .env("ASKS", &asks)
            .env("ANSWERS", &answers)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        // Each is opened once the other side opens it, in the order of the shell's.
        let asks = File::options().write(true).open(asks)?;
        let told = BufReader::new(File::open(answers)?);
        let (tell, answers) = mpsc::channel();
        thread::spawn(move || {
            for message in told.split(0).map_while(Result::ok) {
                let Ok(message) = serde_json::from_slice(&message) else { return };
                if tell.send(message).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, asks, answers, asked: 0 })
    }

    /// What comes of a command; `page` is the session of one.
    fn ask(&mut self, method: &str, parameters: &Value, page: Option<&str>) -> Result<Value, Failure> {
        self.asked += 1;
        let mut message = json!({"id": self.asked, "method": method, "params": parameters});
        if let Some(page) = page {
            message["sessionId"] = json!(page);
        }
        self.asks.write_all(message.to_string().as_bytes())?;
        self.asks.write_all(&[0])?;
        loop {
            let answer = self.answers.recv_timeout(PATIENCE);
            let mut answer =
                answer.map_err(|error| format!("the browser does not answer {method}: {error}"))?;
            if answer["id"] == self.asked {
                if let Some(error) = answer.get("error") {
                    return Err(format!("the browser refuses {method}: {error}").into());
                }
                return Ok(answer["result"].take());
            }
        }
    }

    /// Opens a page; its session.
    fn open(&mut self, address: &str) -> Result<String, Failure> {
        let target = self.ask("Target.createTarget", &json!({"url": address}), None)?;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let page = self.ask("Target.attachToTarget", &attach, None)?;
        Ok(page["sessionId"].as_str().ok_or("the page has no session")?.to_owned())
    }

    /// What an expression comes to in a page.
    fn evaluate(&mut self, page: &str, expression: &str) -> Result<Value, Failure> {
        let asked = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let mut told = self.ask("Runtime.evaluate", &asked, Some(page))?;
        if let Some(thrown) = told.get("exceptionDetails") {
            return Err(format!("the page: {thrown}").into());
        }
        Ok(told["result"]["value"].take())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Closed in peace, it ends its other processes too.
        let _ = self.ask("Browser.close", &json!({}), None);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
