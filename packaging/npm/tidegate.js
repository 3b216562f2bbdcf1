#!/usr/bin/env node
// Finds the program, which a package of its own holds for each platform, and runs it: its streams are the terminal's, signals are passed on
// to it, and its end is this process's.
"use strict";

const { spawn } = require("node:child_process");
const { isatty } = require("node:tty");

const platform = `@tidegate/${process.platform}-${process.arch}`;

function program() {
  try {
    return require.resolve(`${platform}/bin/tidegate`);
  } catch {
    console.error(`tidegate: ${platform} is not installed: there is no program for this platform, or npm was told to leave optional packages out`);
    process.exit(1);
  }
}

const child = spawn(program(), process.argv.slice(2), { stdio: "inherit" });
child.on("error", (error) => {
  console.error(`tidegate: ${error.message}`);
  process.exit(1);
});
child.on("exit", (code, signal) => {
  if (signal === null) {
    process.exit(code);
  }
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});

for (const signal of ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR2"]) {
  process.on(signal, () => {
    // What is typed at a terminal reaches the program by itself.
    if (!((signal === "SIGINT" || signal === "SIGQUIT") && isatty(0))) {
      child.kill(signal);
    }
  });
}
