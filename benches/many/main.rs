//! Ten thousand contracts: what it costs to check them, to plan a change of them and to write the report, in time and in
//! memory at its peak. It fails where that is more than [`MOST_TIME`] or [`MOST_MEMORY`]. Run it by `make bench`.
//!
//! The program is measured as people run it: as a process of its own, on files in a Git repository. The report is opened and
//! scrolled in a [browser], where there is one.

mod browser;

use std::{
    cell::Cell,
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use browser::Shown;

/// Contracts in the repository; `CONTRACTS` says another number.
const CONTRACTS: usize = 10_000;
/// What each command may take.
const MOST_TIME: Duration = Duration::from_secs(10);
/// What each command may have in memory at its peak, in KiB.
const MOST_MEMORY: u64 = 200 * 1000 * 1000 / 1024;
/// What a browser may take for each of what is done to the report: a page that cannot be scrolled takes for ever.
const MOST_PATIENCE: Duration = Duration::from_mins(1);
/// How often the memory is looked at; its peak stays in what is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// What a command prints, and the report, where Git does not see them.
const PRINTED: &str = ".git/printed";
const REPORT: &str = ".git/report.html";

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    match measure() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("many: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures every command; whether all of them are within their bounds.
fn measure() -> Result<bool, Failure> {
    let contracts = env::var("CONTRACTS").ok().map(|text| text.parse()).transpose()?.unwrap_or(CONTRACTS);
    let program =
        PathBuf::from(env::var_os("COUNTERSIGN").unwrap_or_else(|| env!("CARGO_BIN_EXE_countersign").into()));
    let folder = tempfile::tempdir()?;
    let bench = Bench { program, at: folder.path().to_owned() };
    bench.write(contracts, |_| Prices::OLD)?;
    bench.git(&["init", "--quiet"])?;
    bench.git(&["add", "."])?;
    bench.git(&[
        "-c",
        "user.name=bench",
        "-c",
        "user.email=bench@example.com",
        "commit",
        "--quiet",
        "-m",
        "All",
    ])?;
    println!("{contracts} contracts, {} files", fs::read_dir(folder.path().join("contracts"))?.count());
    let is_within = Cell::new(true);
    let run = |what: &str, arguments: &[&str], codes: &[i32]| -> Result<u64, Failure> {
        let Measured { code, time, memory, printed } = bench.run(arguments)?;
        let is_bounded = time <= MOST_TIME && memory <= MOST_MEMORY;
        is_within.set(is_within.get() && is_bounded);
        println!(
            "{what:<46} {:>6} s {:>7} MB {:>9} kB printed{}",
            tenths(u64::try_from(time.as_millis())? / 100),
            tenths(memory * 1024 / 100_000),
            tenths(printed / 100),
            if is_bounded { "" } else { "   TOO MUCH" }
        );
        if !codes.contains(&code) {
            let printed = fs::read_to_string(bench.at.join(PRINTED))?;
            let first: Vec<_> = printed.lines().take(20).collect();
            return Err(format!(
                "{what}: the exit status is {code}, not one of {codes:?}\n{}",
                first.join("\n")
            )
            .into());
        }
        Ok(printed)
    };
    run("validate", &["validate", "."], &[0])?;
    run("plan --base: nothing changes", &["plan", "--base", "HEAD", "."], &[0])?;
    run("report", &["report", "."], &[0])?;
    let is_shown = bench.show()?;
    is_within.set(is_within.get() && is_shown);
    bench.write(contracts, |number| if number % 100 == 0 { Prices::NEW } else { Prices::OLD })?;
    run("validate --base: one in a hundred changes", &["validate", "--base", "HEAD", "."], &[0])?;
    for output in ["text", "json", "markdown", "html"] {
        let what = format!("plan --base -o {output}: one in a hundred");
        run(&what, &["plan", "--base", "HEAD", "--output", output, "."], &[3])?;
    }
    bench.write(contracts, |_| Prices::NEW)?;
    run("validate --base: all change", &["validate", "--base", "HEAD", "."], &[0])?;
    for output in ["text", "json", "markdown", "html"] {
        let what = format!("plan --base -o {output}: all change");
        run(&what, &["plan", "--base", "HEAD", "--output", output, "."], &[3])?;
    }
    bench.write(contracts, |_| Prices::WRONG)?;
    run("validate: all are wrong", &["validate", "."], &[2])?;
    Ok(is_within.get())
}

/// A number with one decimal, given in tenths.
fn tenths(number: u64) -> String {
    format!("{}.{}", number / 10, number % 10)
}

/// What one command took.
struct Measured {
    code: i32,
    time: Duration,
    /// In KiB.
    memory: u64,
    /// In bytes.
    printed: u64,
}

/// What is billed by the contracts.
#[derive(Clone, Copy)]
struct Prices {
    fee: &'static str,
    unit: &'static str,
}

impl Prices {
    const OLD: Self = Self { fee: "24000", unit: "0.0083" };
    const NEW: Self = Self { fee: "26500.5", unit: "0.009" };
    const WRONG: Self = Self { fee: "24,000", unit: "0.0083" };
}

struct Bench {
    program: PathBuf,
    at: PathBuf,
}

impl Bench {
    fn run(&self, arguments: &[&str]) -> Result<Measured, Failure> {
        let printed = self.at.join(PRINTED);
        let started = Instant::now();
        let mut child = Command::new(&self.program)
            .args(arguments)
            .current_dir(&self.at)
            .stdout(fs::File::create(&printed)?)
            .stderr(Stdio::null())
            .spawn()?;
        let mut memory = 0;
        let code = loop {
            if let Some(status) = child.try_wait()? {
                break status.code().unwrap_or(-1);
            }
            memory = peak(child.id()).unwrap_or(memory);
            thread::sleep(LOOK);
        };
        Ok(Measured { code, time: started.elapsed(), memory, printed: fs::metadata(&printed)?.len() })
    }

    /// Shows the report in a browser; whether it opens and scrolls in time.
    fn show(&self) -> Result<bool, Failure> {
        let Some(program) = browser::find() else {
            println!("report in a browser: not looked at, as there is no Chromium (CHROMIUM names one)");
            return Ok(true);
        };
        fs::rename(self.at.join(PRINTED), self.at.join(REPORT))?;
        let shown = browser::show(&program, &self.at.join(REPORT), &self.at.join(".git"))?;
        let Shown { opened, scrolled, unfolded, scrolled_open, longest, groups, heights } = shown;
        let mut is_within = true;
        for (what, time) in [
            ("report in a browser: open".to_owned(), opened),
            ("report in a browser: scroll".to_owned(), scrolled),
            (format!("report in a browser: open {groups} groups"), unfolded),
            ("report in a browser: scroll with all open".to_owned(), scrolled_open),
            ("report in a browser: longest wait in it".to_owned(), longest),
        ] {
            let is_bounded = time <= MOST_PATIENCE;
            is_within &= is_bounded;
            let seconds = tenths(u64::try_from(time.as_millis())? / 100);
            println!("{what:<46} {seconds:>6} s{}", if is_bounded { "" } else { "   TOO MUCH" });
        }
        if groups > 0 && heights.1 <= heights.0 {
            return Err(format!("opening {groups} groups showed nothing: {heights:?} pixels").into());
        }
        Ok(is_within)
    }

    fn git(&self, arguments: &[&str]) -> Result<(), Failure> {
        let status = Command::new("git").args(arguments).current_dir(&self.at).status()?;
        if status.success() { Ok(()) } else { Err(format!("git {arguments:?} failed").into()) }
    }

    fn write(&self, contracts: usize, prices: impl Fn(usize) -> Prices) -> Result<(), Failure> {
        let folder = self.at.join("contracts");
        fs::create_dir_all(&folder)?;
        fs::write(self.at.join("providers.yaml"), PROVIDERS)?;
        fs::write(self.at.join("package.yaml"), PACKAGE)?;
        for number in 0..contracts {
            let text = match number % 10 {
                0..5 => zoo(number, prices(number)),
                5..8 => metronome(number, prices(number)),
                _ => from_package(number, prices(number)),
            };
            write_if_other(&folder.join(format!("customer-{number:05}.yaml")), &text)?;
        }
        Ok(())
    }
}

fn write_if_other(file: &Path, text: &str) -> Result<(), Failure> {
    if fs::read_to_string(file).is_ok_and(|there| there == text) {
        return Ok(());
    }
    Ok(fs::write(file, text)?)
}

/// The peak of a process's memory, in KiB, as long as it runs.
fn peak(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

const PROVIDERS: &str = "\
apiVersion: billing.countersign.dev/v1alpha1
kind: BillingProvider
metadata: {name: zoo, namespace: billing}
spec: {zoo: {}, tokenSecretRef: {name: zoo-token}}
---
apiVersion: billing.countersign.dev/v1alpha1
kind: BillingProvider
metadata: {name: metronome, namespace: billing}
spec: {metronome: {}, tokenSecretRef: {name: metronome-token}}
";

/// A UUID with a number in it.
fn id(kind: u8, number: usize) -> String {
    format!("{kind:08x}-5c0f-4e70-9d3c-{number:012x}")
}

fn metadata(number: usize) -> String {
    format!(
        "# Customer {number}, by order form {number}-2026.
apiVersion: billing.countersign.dev/v1alpha1
kind: BillingContract
metadata:
  name: customer-{number:05}
  namespace: billing
  labels: {{team: enterprise}}
spec:
"
    )
}

/// A package, whose terms never change once it is published.
const PACKAGE: &str = r#"apiVersion: billing.countersign.dev/v1alpha1
kind: ContractPackage
metadata: {name: enterprise, namespace: billing}
spec:
  lifecycle: Published
  zoo:
    term: {unit: YEARS, value: 1}
    generatedPeriods:
      every: {unit: MONTHS, value: 3}
      commitmentAmounts: ["20000", "25000", "30000", "35000"]
    name: Enterprise
    status: active
    provider: stripe
    billingCadence: quarterly
    commitmentScope: pooled
    rolloverPolicy: none
    currency: USD
    items:
      - code: licensed_api_credits
        displayName: API credits
        kind: usage_tiered
        unit: minute
        isCommitmentEligible: true
        rateTiers:
          - {tierStartInclusive: 0, tierEndExclusive: 100000, unitPrice: "0.50"}
          - {tierStartInclusive: 100000, unitPrice: "0.42"}
      - {code: enterprise_support, displayName: Support, kind: fixed_fee, unit: year, fixedFeeAmount: "18000"}
"#;

fn from_package(number: usize, prices: Prices) -> String {
    let (mut text, Prices { fee, .. }) = (metadata(number), prices);
    let _ = write!(
        text,
        r#"  providerRef: {{name: zoo}}
  packageRef: {{name: enterprise}}
  zoo:
    organizationId: {}
    effectiveAt: 2026-08-31T00:00:00Z
    name: Customer {number} 2026
    items:
      - {{code: fde, displayName: Engineer, kind: fixed_fee, unit: year, fixedFeeAmount: "{fee}"}}
"#,
        id(1, number)
    );
    text
}

/// Two years, with what most contracts of an enterprise have.
fn zoo(number: usize, prices: Prices) -> String {
    let (mut text, Prices { fee, unit }) = (metadata(number), prices);
    let _ = write!(
        text,
        r#"  providerRef: {{name: zoo}}
  deletionPolicy: End
  zoo:
    organizationId: {}
    name: Customer {number} 2026-2027
    status: active
    provider: manual_invoice
    billingCadence: quarterly
    commitmentScope: pooled
    rolloverPolicy: year1_to_year2_once
    currency: USD
    effectiveAt: 2026-01-01T00:00:00Z
    termEndAt: 2028-01-01T00:00:00Z
    notes: Purchase order {number}-118.
    items:
      - code: file_ingestion_conversion
        displayName: File conversion
        kind: usage_commitment_bucket
        unit: file
        isCommitmentEligible: true
        rateTiers:
          - {{tierStartInclusive: 0, tierEndExclusive: 50000, unitPrice: "1.20"}}
          - {{tierStartInclusive: 50000, tierEndExclusive: 250000, unitPrice: "0.95"}}
          - {{tierStartInclusive: 250000, unitPrice: "0.8"}}
      - code: licensed_api_credits
        displayName: API credits
        kind: usage_tiered
        unit: second
        isCommitmentEligible: true
        rateTiers:
          - {{tierStartInclusive: 0, unitPrice: "{unit}"}}
      - code: fde
        displayName: Forward-deployed engineer
        kind: fixed_fee
        unit: year
        fixedFeeAmount: "{fee}"
    periods:
      - periodIndex: 0
        periodStartAt: 2026-01-01T00:00:00Z
        periodEndAt: 2027-01-01T00:00:00Z
        commitmentAmount: "{number}"
        status: open
      - periodIndex: 1
        periodStartAt: 2027-01-01T00:00:00Z
        periodEndAt: 2028-01-01T00:00:00Z
        commitmentAmount: "350000"
        status: open
"#,
        id(2, number)
    );
    text
}

/// A year with a commitment, a credit, a fee and a price of its own.
fn metronome(number: usize, prices: Prices) -> String {
    let (mut text, Prices { fee, .. }) = (metadata(number), prices);
    let _ = write!(
        text,
        r#"  providerRef: {{name: metronome}}
  deletionPolicy: End
  metronome:
    customerId: {}
    name: Customer {number} 2026
    startingAt: 2026-01-01T00:00:00Z
    endingBefore: 2027-01-01T00:00:00Z
    rateCardAlias: list-2026
    overrides:
      - type: MULTIPLIER
        multiplier: "0.8"
        priority: "1"
        startingAt: 2026-01-01T00:00:00Z
        overrideSpecifiers: [{{productTags: [api]}}]
    commits:
      - key: annual
        type: PREPAID
        name: Annual commitment
        productId: 0e3b5a52-5c0f-4e70-9d3c-0c1a4ea6a101
        priority: "10"
        applicableProductTags: [api]
        accessSchedule:
          scheduleItems:
            - {{amount: "24000000", startingAt: 2026-01-01T00:00:00Z, endingBefore: 2027-01-01T00:00:00Z}}
        invoiceSchedule:
          scheduleItems:
            - {{timestamp: 2026-01-01T00:00:00Z, amount: "14400000"}}
            - {{timestamp: 2026-07-01T00:00:00Z, amount: "9600000"}}
    credits:
      - key: welcome
        name: Welcome credit
        productId: 0e3b5a52-5c0f-4e70-9d3c-0c1a4ea6a102
        accessSchedule:
          scheduleItems:
            - {{amount: "500000", startingAt: 2026-01-01T00:00:00Z, endingBefore: 2026-04-01T00:00:00Z}}
    scheduledCharges:
      - key: support
        name: Enterprise support
        productId: 0e3b5a52-5c0f-4e70-9d3c-0c1a4ea6a103
        schedule:
          recurringSchedule:
            amountDistribution: EACH
            frequency: QUARTERLY
            startingAt: 2026-01-01T00:00:00Z
            endingBefore: 2027-01-01T00:00:00Z
            unitPrice: "{fee}"
            quantity: "1"
"#,
        id(3, number)
    );
    text
}
