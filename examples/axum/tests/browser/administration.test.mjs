// What administrators do.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { World } from "./world.mjs";

const world = await World.open();
afterEach(() => world.rest());

/** Opens the page of a user, found by a part of the address. */
async function open(root, email) {
  await root.page.goto("/admin");
  await root.page.getByLabel("Email address, or a part of it").fill(email.slice(0, 3));
  await root.press("Search");
  await root.follow(`Open ${email}`);
  await root.page.getByRole("heading", { name: email }).waitFor();
}

/** Presses a button that may ask for a code first, after which it is pressed again. */
async function press(root, email, button) {
  await root.press(button);
  await root.page.waitForLoadState();
  if (root.path !== "/account/step-up") return;
  await root.stepUp();
  await open(root, email);
  await root.press(button);
  await root.page.waitForLoadState();
}

test("an administrator finds users, and nobody else does", async () => {
  const alice = await world.enrolled("alice@example.com");
  await world.user("bob@example.com");
  const root = await world.administrator();
  await root.page.goto("/admin");
  for (const email of ["root@example.com", "alice@example.com", "bob@example.com"]) await root.reads(email);
  await open(root, "alice@example.com");
  await root.reads("My phone");
  await root.page.goto("/admin?text=zebra");
  await root.reads("Nobody has such an address. Search for a shorter part.");

  assert.equal(await alice.page.getByRole("link", { name: "Admin" }).count(), 0);
  await alice.page.goto("/admin");
  await alice.reads("This page is for administrators");
});

test("a temporary code of an administrator signs in once", async () => {
  await world.enrolled("carol@example.com");
  const root = await world.administrator();
  await open(root, "carol@example.com");
  await press(root, "carol@example.com", "Make a code");
  const code = await root.page.locator("#code code").textContent();
  await root.reads("It signs in once, within an hour.");

  const carol = await world.visitor();
  await carol.password("carol@example.com");
  await carol.follow("I do not have my phone");
  await carol.code(code);
  await carol.page.waitForURL("**/account?notice=recovered");
  await carol.signOut();
  await carol.password("carol@example.com");
  await carol.follow("I do not have my phone");
  await carol.code(code);
  await carol.isAdvised(/./);
  assert.match(world.log, /to="carol@example.com" subject="An administrator has helped you to sign in"/);
});

test("an administrator unlocks codes", async () => {
  const { phone } = await world.enrolled("dave@example.com");
  const dave = await world.visitor({ javaScriptEnabled: false });
  await dave.password("dave@example.com");
  for (const _ of [1, 2, 3, 4]) await dave.code(phone.wrongCode());
  await dave.isAdvised("There were too many wrong codes.");
  const root = await world.administrator();
  await open(root, "dave@example.com");
  await root.reads("3 wrong codes in a row");
  await press(root, "dave@example.com", "Unlock codes");
  await root.reads("Codes are unlocked.");
  await root.reads("0 wrong codes in a row");
  await dave.code(phone.code());
  await dave.page.waitForURL("**/account");
});

test("codes that guessing has locked are unlocked by a recovery code, or by an administrator", async () => {
  const erna = await world.enrolled("erna@example.com");
  const [first] = await erna.recoveryCodes();
  const { phone } = erna;
  for (const unlocks of ["a recovery code", "an administrator"]) {
    // Somebody at a browser that is signed in guesses for a day.
    const thief = await world.visitor();
    await thief.signIn("erna@example.com", phone);
    for (let guess = 0; guess < 100; guess += 1) {
      const form = { code: phone.wrongCode() };
      const answer = await thief.page.request.post("/account/step-up", { form, headers: { "Sec-Fetch-Site": "same-origin" } });
      world.wait(Number(answer.headers()["retry-after"] ?? 0));
    }
    const erna = await world.visitor();
    await erna.password("erna@example.com");
    await erna.code(phone.code());
    await erna.isAdvised("Codes are locked after too many wrong ones. Use a recovery code, or ask an administrator to unlock them.");
    if (unlocks === "a recovery code") {
      await erna.follow("Use a recovery code");
      await erna.code(first);
      await erna.page.waitForURL("**/account?notice=recovered");
    } else {
      await erna.page.getByText("No recovery code?").click();
      await erna.reads("Ask an administrator to unlock your codes.");
      const root = await world.administrator();
      await root.signIn("root@example.com", root.phone);
      await open(root, "erna@example.com");
      await root.reads("Codes are locked after 100 wrong ones in a row.");
      await press(root, "erna@example.com", "Unlock codes");
      await root.reads("Codes are unlocked.");
      await erna.password("erna@example.com");
      await erna.code(phone.code());
      await erna.page.waitForURL("**/account");
    }
  }
  assert.match(world.log, /to="erna@example.com" subject="Your codes are locked"/);
});

test("an administrator resets a second factor, which signs its user out", async () => {
  const erin = await world.enrolled("erin@example.com");
  const root = await world.administrator();
  await open(root, "erin@example.com");
  await press(root, "erin@example.com", "Reset");
  await root.reads("The second factor is reset, and the user signed out everywhere.");
  await erin.page.goto("/account");
  assert.equal(erin.path, "/sign-in");
  await erin.password("erin@example.com");
  assert.equal(erin.path, "/account");
  await erin.reads("Your password alone signs you in");
});

test("an administrator is asked for a code again before any of it", async () => {
  await world.enrolled("frank@example.com");
  const root = await world.administrator();
  world.wait(5 * 60 + 1);
  for (const button of ["Make a code", "Unlock codes", "Reset", "Make an administrator"]) {
    await open(root, "frank@example.com");
    await root.press(button);
    await root.page.waitForURL("**/account/step-up?next=/admin");
  }
});

test("who becomes an administrator must set up a second factor", async () => {
  const grace = await world.user("grace@example.com");
  const root = await world.administrator();
  await open(root, "grace@example.com");
  await press(root, "grace@example.com", "Make an administrator");
  await root.reads("The role is changed.");
  await grace.page.goto("/admin");
  await grace.reads("This page needs a second factor. Set one up first.");
  await grace.signOut();
  await grace.password("grace@example.com");
  assert.equal(grace.path, "/sign-in/set-up");
  await grace.setUp("My phone");
  await grace.page.goto("/admin");
  await grace.reads("Administration");
  // The last one cannot be turned off.
  await grace.page.goto("/account");
  await grace.reads("Your account has to have a second factor.");
  assert.equal(await grace.page.getByRole("link", { name: "Turn it off" }).count(), 0);
});

test("the audit log tells who did what to whom", async () => {
  await world.enrolled("heidi@example.com");
  const root = await world.administrator();
  await open(root, "heidi@example.com");
  await press(root, "heidi@example.com", "Reset");
  await root.page.goto("/admin");
  await root.follow("Audit log");
  const event = root.page.locator(".log li", { hasText: "The second factor was reset" }).first();
  assert.match(await event.textContent(), /heidi@example\.com .* from 127\.0\.0\.1 · by root@example\.com/);
});

// The last one, since time passes for everybody.
test("from a date on everybody must have a second factor", async () => {
  const ivan = await world.user("ivan@example.com");
  const root = await world.administrator();
  const day = 24 * 60 * 60;
  const date = new Date((world.now() + 3 * day) * 1000);
  const keep = async () => {
    await root.page.goto("/admin");
    await root.page.getByLabel("Required from").fill(date.toISOString().slice(0, 10));
    await root.press("Keep the date");
    await root.page.waitForLoadState();
  };
  await keep();
  if (root.path === "/account/step-up") {
    await root.stepUp();
    await keep();
  }
  await root.reads("The date is kept.");

  // Until then users are told.
  await ivan.signOut();
  await ivan.password("ivan@example.com");
  assert.equal(ivan.path, "/sign-in/set-up");
  await ivan.reads(/^From .* you need a second factor to sign in\. Set it up now, or later\.$/);
  await ivan.press("Later");
  await ivan.reads("You can set up your second factor whenever you like, from this page.");
  await ivan.signOut();

  world.wait(4 * day);
  await ivan.password("ivan@example.com");
  assert.equal(ivan.path, "/sign-in/set-up");
  await ivan.reads("Your account needs a second factor. Set it up now; it takes two minutes.");
  assert.equal(await ivan.page.getByRole("button", { name: "Later" }).count(), 0);
  await ivan.setUp("My phone");
  await ivan.page.goto("/account");
  await ivan.reads("You can replace an authenticator, but not turn the last one off.");
});
