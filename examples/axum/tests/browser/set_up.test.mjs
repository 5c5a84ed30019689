// Signing up, and setting up a second factor.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, test } from "node:test";

import { World } from "./world.mjs";

const world = await World.open();
afterEach(() => world.rest());

test("who must have a second factor sets it up before anything else", async () => {
  const root = (world.root = await world.visitor());
  await root.signUp("first@example.com");
  assert.equal(root.path, "/sign-in/set-up");
  await root.reads("Your account needs a second factor");
  // The password alone opens nothing.
  await root.page.goto("/account");
  assert.equal(root.path, "/sign-in");
  await root.page.goto("/admin");
  assert.equal(root.path, "/sign-in");

  await root.page.goto("/sign-in/set-up");
  const phone = await root.showQr("My phone");
  await root.code(phone.wrongCode(), "Confirm");
  await root.isAdvised("That code is not right");
  assert.equal(await root.page.locator(".qr").count(), 0, "the secret is shown once");
  await root.code(phone.code(), "Confirm");
  await root.page.waitForURL("**/account/recovery-codes?notice=set-up");
  await root.page.goto("/admin");
  await root.reads("first@example.com");
});

test("a phone is set up by the picture on the page", async () => {
  const alice = await world.visitor({ permissions: ["clipboard-read", "clipboard-write"] });
  await alice.signUp("alice@example.com");
  await alice.reads("Your password alone signs you in");
  await alice.follow("Set up a second factor");
  const phone = await alice.showQr("My phone");
  assert.deepEqual(
    [phone.issuer, phone.account, phone.algorithm, phone.digits, phone.period],
    ["Example", "Example:alice@example.com", "SHA1", 6, 30],
  );
  // The same secret as a link and as text, for who cannot scan.
  const link = await alice.page.getByRole("link", { name: "Open it in the app" }).getAttribute("href");
  const groups = await alice.page.locator("#key span").allTextContents();
  assert.ok(groups.every((group) => /^[A-Z2-7]{1,4}$/.test(group)), groups.join(" "));
  assert.equal(new URL(link).searchParams.get("secret"), groups.join(""));
  await alice.press("Copy the key");
  await alice.page.getByRole("button", { name: "Copied" }).waitFor();
  assert.equal(await alice.page.evaluate(() => navigator.clipboard.readText()), groups.join(""));
  // Phones offer digits, and the code that came.
  const field = alice.page.getByLabel("Code that the app shows");
  assert.equal(await field.getAttribute("inputmode"), "numeric");
  assert.equal(await field.getAttribute("autocomplete"), "one-time-code");

  await alice.code(phone.code(), "Confirm");
  await alice.page.waitForURL("**/account/recovery-codes?notice=set-up");
  await alice.page.goto("/account");
  await alice.page.locator("#factor + .badge.on").waitFor();
  await alice.reads("My phone");
  assert.match(world.log, /to="alice@example.com" subject="An authenticator was set up for your account"/);
});

test("recovery codes are shown once, to copy, to download and to print", async () => {
  const bob = await world.enrolled("bob@example.com", { permissions: ["clipboard-read", "clipboard-write"] });
  const codes = await bob.recoveryCodes();
  assert.equal(new Set(codes).size, 10);

  // A screen reader hears of a change where it was told before that there may be one.
  assert.equal(await bob.page.getByRole("button", { name: "Copy" }).getAttribute("aria-live"), "polite");
  await bob.press("Copy");
  await bob.page.getByRole("button", { name: "Copied" }).waitFor();
  assert.equal(await bob.page.evaluate(() => navigator.clipboard.readText()), codes.join("\n"));

  const [download] = await Promise.all([bob.page.waitForEvent("download"), bob.press("Download")]);
  assert.equal(download.suggestedFilename(), "recovery-codes.txt");
  assert.equal(readFileSync(await download.path(), "utf8"), `${codes.join("\n")}\n`);

  await bob.page.evaluate(() => (window.print = () => (document.title = "printed")));
  await bob.press("Print");
  assert.equal(await bob.page.title(), "printed");
  await bob.page.emulateMedia({ media: "print" });
  assert.ok(await bob.page.getByText("For bob@example.com at Example").isVisible());
  assert.ok(await bob.page.getByText(codes[9]).isVisible());
  assert.ok(!(await bob.page.getByRole("button", { name: "Print" }).isVisible()));
  await bob.page.emulateMedia({ media: "screen" });

  await bob.follow("I have kept them");
  await bob.reads("10 left");
  await bob.page.goto("/account/recovery-codes");
  const page = await bob.page.content();
  assert.ok(codes.every((code) => !page.includes(code)));
});

test("a phone is set up without any script", async () => {
  const carol = await world.visitor({ javaScriptEnabled: false });
  await carol.signUp("carol@example.com");
  await carol.follow("Set up a second factor");
  await carol.setUp("My phone");
  assert.equal((await carol.recoveryCodes()).length, 10);
  // What needs a script is not offered without one.
  assert.equal(await carol.page.getByRole("button", { name: "Copy" }).count(), 0);
});
