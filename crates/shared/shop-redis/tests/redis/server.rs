//! A Redis of one test's own. What belongs here: starting it, ending it, and what can befall it.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::Mutex;

/// A running `redis-server`; ends with the test.
pub(crate) struct Server {
    port: u16,
    folder: TempDir,
    process: Mutex<Child>,
}

impl Server {
    /// Starts one on a free port, empty, writing to disk only when it is told to.
    pub(crate) fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let process = Mutex::new(spawn(port, &folder));
        let server = Self { port, folder, process };
        server.wait();
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// What `redis-cli` prints for a command.
    pub(crate) fn cli(&self, command: &[&str]) -> String {
        let output = Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(command).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Ends it without a word and starts it again from what it last saved.
    pub(crate) fn crash(&self) {
        self.stop();
        self.start_again();
    }

    /// Ends it without a word.
    pub(crate) fn stop(&self) {
        let mut process = self.process.try_lock().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Starts it again after [`Self::stop`].
    pub(crate) fn start_again(&self) {
        *self.process.try_lock().unwrap() = spawn(self.port, &self.folder);
        self.wait();
    }

    /// Lets it hang, or go on.
    pub(crate) fn signal(&self, name: &str) {
        let process = self.process.try_lock().unwrap().id().to_string();
        let status = Command::new("kill").args(["-s", name, &process]).status().unwrap();
        assert!(status.success());
    }

    fn wait(&self) {
        // Another process may have taken the port before this one: it must not be taken for this one.
        let own = format!("process_id:{}", self.process.try_lock().unwrap().id());
        for _ in 0..500 {
            if self.cli(&["INFO", "server"]).lines().any(|line| line.trim() == own) {
                return;
            }
            sleep(Duration::from_millis(10));
        }
        panic!("redis-server does not answer on port {}", self.port);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let process = self.process.get_mut();
        let _ = process.kill();
        let _ = process.wait();
    }
}

fn spawn(port: u16, folder: &TempDir) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .args(["--dir", &folder.path().display().to_string()])
        .stdout(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("redis-server does not start ({error}): run `make deps`"))
}
