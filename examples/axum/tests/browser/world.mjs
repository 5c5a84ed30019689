// Runs the application, with a clock that the tests turn, and browsers around it.
//
// Each file of tests is a process with a browser of its own; each world is a server with a database of its own. Every
// browser is watched: a request to another host, a violation of the Content-Security-Policy, or an error of a script fails
// the test in which it happened.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { chromium } from "playwright-core";

import { Phone, read } from "./phone.mjs";

export const PASSWORD = "four plain words of mine";
// .ci/browser says where they are.
const { EXAMPLE, LIBFAKETIME } = process.env;

let launched;
const browser = () =>
  (launched ??= chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
    // The back button shows what it shows to people.
    ignoreDefaultArgs: ["--disable-back-forward-cache"],
  }));

export class World {
  #folder = mkdtempSync(join(tmpdir(), "softtoken-browser-"));
  #now = Math.floor(Date.now() / 1000);
  #server;
  /** Is the first user, who administers the others. */
  root;
  /** Lists what no page may do, and one did. */
  faults = [];
  #contexts = new Set();
  log = "";

  /** Starts a server. It ends with the file of tests. */
  static async open() {
    const world = new World();
    after(() => world.#close());
    world.wait(0);
    await world.#start("127.0.0.1:0");
    return world;
  }

  async #start(address) {
    this.#server = spawn(EXAMPLE, [address, this.#folder], {
      stdio: ["ignore", "pipe", "inherit"],
      env: {
        ...process.env,
        LD_PRELOAD: LIBFAKETIME,
        FAKETIME_TIMESTAMP_FILE: this.#clock,
        FAKETIME_NO_CACHE: "1",
        FAKETIME_DONT_FAKE_MONOTONIC: "1",
        FAKETIME_DISABLE_SHM: "1",
        NO_COLOR: "1",
        TZ: "UTC",
      },
    });
    // Also where the tests end before their end.
    const server = this.#server;
    process.once("exit", () => server.kill("SIGKILL"));
    this.origin = await new Promise((resolve, reject) => {
      let said = "";
      this.#server.once("exit", (status) => reject(new Error(`the server has ended with ${status}`)));
      this.#server.stdout.on("data", (data) => {
        said += data;
        this.log += data;
        const found = said.match(/open (http:\S+) in/);
        if (found) resolve(found[1]);
      });
    });
  }

  async #stop(signal) {
    const ended = new Promise((resolve) => this.#server.once("exit", resolve));
    this.#server.kill(signal);
    await ended;
    for (const name of ["faketime_shm", "sem.faketime_sem"]) rmSync(`/dev/shm/${name}_${this.#server.pid}`, { force: true });
  }

  async #close() {
    await (await browser()).close();
    await this.#stop("SIGKILL");
    rmSync(this.#folder, { recursive: true });
  }

  /** Ends the server as a loss of power does, and starts it anew at the same address. */
  async restart() {
    await this.#stop("SIGKILL");
    await this.#start(new URL(this.origin).host);
  }

  get #clock() {
    return join(this.#folder, "clock");
  }

  /** Lets time pass for the server and the phones. It stands still otherwise. */
  wait(seconds) {
    this.#now += seconds;
    const time = new Date(this.#now * 1000).toISOString();
    writeFileSync(`${this.#clock}.new`, `${time.slice(0, 10)} ${time.slice(11, 19)}\n`);
    renameSync(`${this.#clock}.new`, this.#clock);
  }

  /** Returns the time of the server, in seconds. */
  now() {
    return this.#now;
  }

  /** Opens a browser that nobody has used. */
  async visitor(options = {}) {
    const context = await (await browser()).newContext({ baseURL: this.origin, locale: "en-GB", timezoneId: "UTC", ...options });
    this.#contexts.add(context);
    context.setDefaultTimeout(30_000);
    context.on("request", (request) => {
      const url = new URL(request.url());
      if (url.origin !== this.origin && url.protocol !== "blob:") this.faults.push(`a request to ${url}`);
    });
    context.on("console", (message) => {
      // That a server has refused a form, or is not there, is no fault of a page's.
      const isAnswer = message.text().startsWith("Failed to load resource");
      if (message.type() === "error" && !isAnswer) this.faults.push(message.text());
    });
    context.on("weberror", (error) => this.faults.push(String(error.error())));
    return new Visitor(this, await context.newPage());
  }

  /** Returns the first user, who administers the others, signed in. */
  async administrator() {
    return (this.root ??= this.newcomer("root@example.com"));
  }

  /** Signs a user up, who has no second factor. */
  async user(email, options) {
    await this.administrator();
    const visitor = await this.visitor(options);
    await visitor.signUp(email);
    return visitor;
  }

  /** Signs a user up, with a phone. */
  async enrolled(email, options) {
    await this.administrator();
    return this.newcomer(email, options);
  }

  /** Signs a user up, with a phone, who may be the first one. */
  async newcomer(email, options) {
    const visitor = await this.visitor(options);
    await visitor.signUp(email);
    if (visitor.path === "/account") await visitor.page.getByRole("link", { name: "Set up a second factor" }).click();
    visitor.phone = await visitor.setUp("My phone");
    return visitor;
  }

  /** Ends a test: closes the browsers, but the administrator's, and fails where a page has done what none may. */
  async rest() {
    const root = (await this.root)?.page.context();
    const left = [...this.#contexts].filter((context) => context !== root);
    await Promise.all(left.map((context) => context.close()));
    for (const context of left) this.#contexts.delete(context);
    assert.deepEqual(this.faults.splice(0), []);
  }
}

/** Sits before a browser, and does what people do: by labels, buttons and links. */
export class Visitor {
  constructor(world, page) {
    this.world = world;
    this.page = page;
  }

  get path() {
    const { pathname } = new URL(this.page.url());
    return pathname;
  }

  /** Opens another tab of the same browser. */
  async tab() {
    const other = new Visitor(this.world, await this.page.context().newPage());
    return Object.assign(other, { email: this.email, phone: this.phone });
  }

  async press(name) {
    await this.page.getByRole("button", { name, exact: true }).click();
  }

  async follow(name) {
    await this.page.getByRole("link", { name, exact: true }).click();
  }

  async signUp(email) {
    this.email = email;
    await this.page.goto("/sign-up");
    await this.page.getByLabel("Email address").fill(email);
    await this.page.getByLabel("Password").fill(PASSWORD);
    await this.press("Create the account");
    await this.page.waitForURL(/\/(account|sign-in\/set-up)$/);
  }

  /** Types address and password. */
  async password(email, password = PASSWORD) {
    this.email = email;
    await this.page.goto("/sign-in");
    await this.page.getByLabel("Email address").fill(email);
    await this.page.getByLabel("Password").fill(password);
    await this.press("Sign in");
    await this.page.waitForLoadState();
  }

  /** Types a code, and sends it. */
  async code(code, button = "Sign in") {
    await this.page.getByLabel(/code/i).and(this.page.locator("input.code")).fill(code);
    await this.press(button);
    await this.page.waitForLoadState();
  }

  /** Signs in by password and phone. */
  async signIn(email, phone) {
    await this.password(email);
    this.phone = phone;
    await this.code(phone.code());
    await this.page.waitForURL("**/account");
  }

  async signOut() {
    await this.press("Sign out");
    await this.page.waitForURL(/notice=signed-out/);
  }

  /** Shows that it is them, where a page asks for it. */
  async stepUp() {
    if (this.path === "/account/step-up") await this.code(this.phone.code(), "Continue");
  }

  /** Holds the phone before the page. */
  async scan() {
    return new Phone(this.world, read(await this.page.screenshot({ fullPage: true })));
  }

  /** Has the page show a QR code, and holds a new phone before it. */
  async showQr(name) {
    await this.page.getByLabel("Name", { exact: true }).fill(name);
    await this.press("Show the QR code");
    await this.page.getByRole("heading", { name: "Scan the QR code" }).waitFor();
    return this.scan();
  }

  /** Sets a phone up, from the page that asks for its name. */
  async setUp(name) {
    const phone = await this.showQr(name);
    await this.code(phone.code(), "Confirm");
    await this.page.waitForURL("**/account/recovery-codes?notice=set-up");
    return phone;
  }

  /** Makes recovery codes, and returns those that the page shows. */
  async recoveryCodes() {
    await this.page.goto("/account/recovery-codes");
    await this.stepUp();
    await this.press("Show ten codes");
    await this.page.getByText("Keep these apart from your phone").waitFor();
    return this.page.locator("#codes code").allTextContents();
  }

  /** Fails where the page does not say this. */
  async reads(text, within = "main") {
    await this.page.locator(within).getByText(text).first().waitFor();
  }

  /** Fails where the page does not warn of this, for eyes and for screen readers, beside its field. */
  async isAdvised(text) {
    await this.page.getByRole("alert").getByText(text).waitFor();
  }
}
