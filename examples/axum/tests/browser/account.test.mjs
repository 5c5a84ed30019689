// What users do with their second factors.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { World } from "./world.mjs";

const world = await World.open();
afterEach(() => world.rest());

test("several authenticators have names, and are renamed and removed", async () => {
  const alice = await world.enrolled("alice@example.com");
  await alice.page.goto("/account");
  await alice.follow("Add an authenticator");
  const tablet = await alice.setUp("Tablet");
  await alice.signOut();
  await alice.password("alice@example.com");
  await alice.reads("The 6 digits that “My phone” or “Tablet” shows now.");
  await alice.code(tablet.code());
  await alice.page.waitForURL("**/account");
  await alice.page.locator("li", { hasText: "Tablet" }).getByText("last used").waitFor();

  await alice.follow("Change Tablet");
  const name = alice.page.getByLabel("Name", { exact: true });
  await name.fill("Old tablet");
  await alice.press("Rename");
  await alice.reads("The authenticator has its new name.");
  await alice.follow("Change Old tablet");
  await alice.press("Remove it");
  await alice.reads("The authenticator is removed.");
  assert.equal(await alice.page.getByText("Old tablet").count(), 0);
  assert.match(world.log, /to="alice@example.com" subject="An authenticator was removed from your account"/);

  await alice.signOut();
  await alice.password("alice@example.com");
  await alice.code(tablet.code());
  await alice.isAdvised("That code is not right");
  await alice.code(alice.phone.code());
  await alice.page.waitForURL("**/account");
});

test("a phone is replaced while the old one works", async () => {
  const bob = await world.enrolled("bob@example.com");
  const old = bob.phone;
  await bob.page.goto("/account");
  await bob.follow("Change My phone");
  await bob.page.getByLabel("Name of the new one").fill("New phone");
  await bob.press("Show the QR code");
  await bob.page.getByRole("heading", { name: "Scan the QR code" }).waitFor();
  const phone = await bob.scan();

  const elsewhere = await world.visitor();
  await elsewhere.signIn("bob@example.com", old);
  await bob.code(phone.code(), "Confirm");
  await bob.page.waitForURL("**/account/recovery-codes?notice=set-up");
  await bob.page.goto("/account");
  await bob.reads("New phone");
  assert.equal(await bob.page.getByText("My phone").count(), 0);
  // The browser that signed in with the old phone is signed out.
  await elsewhere.page.reload();
  assert.equal(elsewhere.path, "/sign-in");
  await elsewhere.password("bob@example.com");
  await elsewhere.code(old.code());
  await elsewhere.isAdvised("That code is not right");
  await elsewhere.code(phone.code());
  await elsewhere.page.waitForURL("**/account");
});

test("what is dangerous asks for a code again after five minutes", async () => {
  const carol = await world.enrolled("carol@example.com");
  const dangers = ["Add an authenticator", "Change My phone", "Get recovery codes", "Forget all browsers", "Change the password", "Turn it off"];
  await carol.page.goto("/account");
  for (const name of dangers) {
    await carol.follow(name);
    assert.notEqual(carol.path, "/account/step-up", name);
    await carol.page.goto("/account");
  }
  world.wait(5 * 60 + 1);
  for (const name of dangers) {
    await carol.follow(name);
    assert.equal(carol.path, "/account/step-up", name);
    await carol.follow("Cancel");
  }
  await carol.follow("Turn it off");
  await carol.code(carol.phone.wrongCode(), "Continue");
  await carol.isAdvised("That code is not right");
  await carol.code(carol.phone.code(), "Continue");
  assert.equal(carol.path, "/account/turn-off");
});

test("the second factor is turned off, and the password alone signs in", async () => {
  const dave = await world.enrolled("dave@example.com");
  await dave.page.goto("/account");
  await dave.follow("Turn it off");
  await dave.press("Turn it off");
  await dave.reads("Your second factor is off. Your password alone signs you in.");
  await dave.signOut();
  await dave.password("dave@example.com");
  assert.equal(dave.path, "/account");
  assert.match(world.log, /to="dave@example.com" subject="Your second factor was turned off"/);
});

test("a new password signs other browsers out, and the old one is no more", async () => {
  const erin = await world.enrolled("erin@example.com");
  const other = await world.visitor();
  await other.signIn("erin@example.com", erin.phone);
  await erin.page.goto("/account/password");
  await erin.page.getByLabel("Present password").fill("not the words of mine");
  await erin.page.getByLabel("New password").fill("other plain words of mine");
  await erin.press("Change the password");
  await erin.isAdvised("Your present password is not right. Try again.");
  await erin.page.getByLabel("Present password").fill("four plain words of mine");
  await erin.page.getByLabel("New password").fill("other plain words of mine");
  await erin.press("Change the password");
  await erin.reads("Your password is changed. Other browsers are signed out.");
  await other.page.reload();
  assert.equal(other.path, "/sign-in");
  await other.password("erin@example.com");
  await other.isAdvised("Address or password is not right.");
  await other.password("erin@example.com", "other plain words of mine");
  assert.equal(other.path, "/sign-in/code");
});

test("the account's own log tells what has happened, and nobody else's", async () => {
  await world.enrolled("frank@example.com");
  const grace = await world.user("grace@example.com");
  await (await world.visitor()).password("grace@example.com", "not the words of mine");
  await grace.page.goto("/account");
  await grace.follow("Activity");
  const events = await grace.page.locator(".log strong").allTextContents();
  assert.deepEqual(events, ["A wrong password was typed", "Signed in by password", "The account was created"]);
  await grace.page.locator(".log time").first().waitFor();
});
