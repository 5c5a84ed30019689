// Signing in.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { World } from "./world.mjs";

const world = await World.open();
afterEach(() => world.rest());

test("a wrong password and an address without an account read the same", async () => {
  await world.user("anna@example.com");
  const visitor = await world.visitor();
  for (const email of ["anna@example.com", "nobody@example.com"]) {
    await visitor.password(email, "not the words of mine");
    await visitor.isAdvised("Address or password is not right. Check both, and try again.");
    assert.equal(await visitor.page.getByLabel("Email address").inputValue(), email);
    // The address stands, and the password is to be typed anew.
    assert.ok(await visitor.page.getByLabel("Password").evaluate((field) => field === document.activeElement));
  }
});

test("a code signs in once, and a wrong one does not", async () => {
  const { phone } = await world.enrolled("alice@example.com");
  const alice = await world.visitor();
  await alice.password("alice@example.com");
  assert.equal(alice.path, "/sign-in/code");
  await alice.reads("The 6 digits that “My phone” shows now.");
  await alice.code(phone.wrongCode());
  await alice.isAdvised("That code is not right. Type the one that your app shows now.");
  // The field is ready for the next code, and a screen reader reads the advice with it.
  const field = alice.page.getByLabel("Code from your authenticator app");
  assert.ok(await field.evaluate((field) => field === document.activeElement));
  assert.equal(await field.inputValue(), "");
  assert.match(await field.getAttribute("aria-describedby"), /\badvice\b/);
  await alice.code("12 34");
  await alice.isAdvised("Type the 6 digits from your app, or a recovery code of 25 characters.");
  const code = phone.code();
  await alice.code(`${code.slice(0, 3)} ${code.slice(3)}`);
  await alice.page.waitForURL("**/account");
  await alice.signOut();

  const thief = await world.visitor();
  await thief.password("alice@example.com");
  await thief.code(phone.usedCode());
  await thief.isAdvised("That code was used already. Wait until your app shows the next one, and type that.");
  await thief.page.goto("/account");
  assert.equal(thief.path, "/sign-in");
});

test("password and code go in one form", async () => {
  const { phone } = await world.enrolled("bob@example.com");
  const bob = await world.visitor();
  const type = async (code) => {
    await bob.page.getByLabel("Email address").fill("bob@example.com");
    await bob.page.getByLabel("Password").fill("four plain words of mine");
    await bob.code(code);
  };
  await bob.page.goto("/sign-in");
  await bob.follow("Type password and code together");
  await type(phone.wrongCode());
  await bob.isAdvised("That code is not right");
  await type(phone.code());
  await bob.page.waitForURL("**/account");
});

test("a recovery code signs in once", async () => {
  const carol = await world.enrolled("carol@example.com");
  const [first] = await carol.recoveryCodes();
  await carol.signOut();
  await carol.password("carol@example.com");
  await carol.follow("I do not have my phone");
  await carol.code(first.toLowerCase().replaceAll("-", " "));
  await carol.page.waitForURL("**/account?notice=recovered");
  await carol.reads("9 left");
  await carol.signOut();
  await carol.password("carol@example.com");
  await carol.follow("I do not have my phone");
  await carol.code(first);
  await carol.isAdvised(/./);
  await carol.page.goto("/account");
  assert.equal(carol.path, "/sign-in");
  assert.match(world.log, /to="carol@example.com" subject="A recovery code was used to sign in"/);
});

test("a remembered browser is not asked for a code until all are forgotten", async () => {
  const { phone } = await world.enrolled("dave@example.com");
  const dave = await world.visitor();
  await dave.password("dave@example.com");
  await dave.page.getByLabel("Do not ask on this browser for 30 days").check();
  await dave.code(phone.code());
  await dave.page.waitForURL("**/account");
  await dave.signOut();
  await dave.password("dave@example.com");
  assert.equal(dave.path, "/account");

  // Another browser is asked, and has all forgotten.
  const other = await world.visitor();
  await other.signIn("dave@example.com", phone);
  await other.follow("Forget all browsers");
  await other.stepUp();
  await other.press("Forget all browsers");
  await other.reads("Every browser will ask for a code again.");
  await dave.signOut();
  await dave.password("dave@example.com");
  assert.equal(dave.path, "/sign-in/code");
});

test("a browser is remembered for 30 days", async () => {
  const { phone } = await world.enrolled("erin@example.com");
  const erin = await world.visitor();
  await erin.password("erin@example.com");
  await erin.page.getByLabel("Do not ask on this browser for 30 days").check();
  await erin.code(phone.code());
  await erin.page.waitForURL("**/account");
  const day = 24 * 60 * 60;
  world.wait(29 * day);
  await erin.password("erin@example.com");
  assert.equal(erin.path, "/account");
  await erin.signOut();
  world.wait(day);
  await erin.password("erin@example.com");
  assert.equal(erin.path, "/sign-in/code");
});

test("wrong codes make the next one wait, and the page counts down", async () => {
  const { phone } = await world.enrolled("frank@example.com");
  const frank = await world.visitor();
  await frank.page.clock.install();
  await frank.password("frank@example.com");
  const code = phone.code();
  for (const _ of [1, 2, 3]) await frank.code(phone.wrongCode());
  await frank.isAdvised("and it was not the first one. Wait, then type the code that the app shows.");
  await frank.reads("You can try again in 5 s.");
  // A screen reader is told of the wait once, not four times a second.
  assert.equal(await frank.page.getByRole("alert").getByRole("timer").textContent(), "5 s");
  const button = frank.page.getByRole("button", { name: "Sign in" });
  assert.ok(await button.isDisabled());
  // It is no rule of the page's: sent past its script, the right code is not judged.
  await frank.page.getByLabel("Code from your authenticator app").fill(code);
  await frank.page.evaluate(() => document.querySelector("main form").submit());
  await frank.isAdvised("There were too many wrong codes. Wait, then type the code that your app shows.");

  await frank.page.clock.runFor(4_000);
  await frank.reads(/You can try again in [12] s\./);
  assert.ok(await button.isDisabled());
  await frank.page.clock.runFor(2_000);
  await frank.reads("You can try again now.");
  assert.ok(await button.isEnabled());
  world.wait(5);
  await frank.code(code);
  await frank.page.waitForURL("**/account");
});

test("two codes tell how far the clock of a phone is off", async () => {
  const { phone } = await world.enrolled("heidi@example.com");
  const heidi = await world.visitor();
  await heidi.password("heidi@example.com");
  assert.equal(await heidi.page.getByRole("link", { name: "No code fits" }).count(), 0);
  // Five minutes ahead.
  await heidi.code(phone.codeAhead(10));
  await heidi.isAdvised("That code is not right.");
  await heidi.follow("No code fits");
  const compare = async (code, following) => {
    await heidi.page.getByLabel("Code that the app shows now").fill(code);
    await heidi.page.getByLabel("Code that it shows next").fill(following);
    await heidi.press("Compare");
    await heidi.page.waitForLoadState();
  };
  await compare(phone.codeAhead(10), phone.codeAhead(12));
  await heidi.isAdvised("These are not two codes that your app shows one after the other");
  await compare(phone.codeAhead(10), phone.codeAhead(11));
  await heidi.page.waitForURL("**/sign-in/code?notice=clock");
  await heidi.reads("The clock of your authenticator is known now. Wait for the next code, and type that.");
  world.wait(30);
  await heidi.code(phone.codeAhead(11));
  await heidi.page.waitForURL("**/account");
});

test("who keeps guessing is told of by mail, and lets the user read of it", async () => {
  const { phone } = await world.enrolled("grace@example.com");
  const thief = await world.visitor({ javaScriptEnabled: false });
  await thief.password("grace@example.com");
  for (const wait of [0, 0, 0, 5, 10]) {
    world.wait(wait);
    await thief.code(phone.wrongCode());
  }
  assert.match(world.log, /to="grace@example.com" subject="Somebody seems to have your password"/);
  world.wait(60);
  const grace = await world.visitor();
  await grace.signIn("grace@example.com", phone);
  await grace.follow("Activity");
  await grace.reads("Somebody has the password, and guesses codes");
});
