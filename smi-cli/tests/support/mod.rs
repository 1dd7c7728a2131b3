//! A process that a test watches, and patience.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A process that ends with the test, and what it says.
pub struct Running {
    child: Child,
    said: Arc<Mutex<String>>,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (stderr, into) = (child.stderr.take().unwrap(), Arc::clone(&said));
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                *into.lock().unwrap() += &(line + "\n");
            }
        });
        Self { child, said }
    }

    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Forgets what was said so far.
    pub fn listen(&self) {
        self.said.lock().unwrap().clear();
    }

    /// How often it says that.
    pub fn count(&self, what: &str) -> usize {
        self.said().matches(what).count()
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub fn says(&self, what: &str) {
        eventually(&format!("it says `{what}`"), || self.said(), |said| said.contains(what));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until it holds, and shows what there was instead.
pub fn eventually<T: std::fmt::Debug>(what: &str, see: impl Fn() -> T, mut holds: impl FnMut(&T) -> bool) {
    let started = Instant::now();
    loop {
        let seen = see();
        if holds(&seen) {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "never: {what}: {seen:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
