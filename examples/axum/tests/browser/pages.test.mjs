// How each page looks to somebody who cannot see it, on a phone and on a desk, light and dark.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { after, afterEach, test } from "node:test";

import { read } from "./phone.mjs";
import { World } from "./world.mjs";

const world = await World.open();
afterEach(() => world.rest());

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const seen = new Set();
let looks = 0;
after(() => console.log(`axe-core looked ${looks} times at ${seen.size} pages`));

/** Has axe-core look at a page, in both themes and at both widths. */
async function look({ page }, template) {
  seen.add(template);
  await page.evaluate(axe);
  for (const width of [360, 1280]) {
    for (const colorScheme of ["light", "dark"]) {
      const at = `${template} at ${page.url()}, ${width} points, ${colorScheme}`;
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme });
      const found = await page.evaluate(async () => {
        const { violations, incomplete } = await globalThis.axe.run();
        const wide = document.documentElement.scrollWidth > innerWidth;
        // A contrast that could not be measured is none that is good.
        const unmeasured = incomplete.filter(({ id }) => id === "color-contrast");
        const told = [...violations, ...unmeasured].flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
        return wide ? [...told, "it scrolls sideways"] : told;
      });
      assert.deepEqual(found, [], at);
      looks += 1;
    }
  }
}

test("before an account", async () => {
  const visitor = await world.visitor();
  const pages = { "/": "home", "/second-factor": "second_factor", "/sign-up": "sign_up", "/sign-in": "sign_in", "/sign-in?with=code": "sign_in", "/nowhere": "problem" };
  for (const [path, template] of Object.entries(pages)) {
    await visitor.page.goto(path);
    await look(visitor, template);
  }
  await visitor.password("nobody@example.com");
  await look(visitor, "sign_in");
});

test("setting up while signing in", async () => {
  const root = (world.root = await world.visitor());
  await root.signUp("root@example.com");
  await look(root, "set_up");
  const phone = await root.showQr("My phone");
  await look(root, "scan");
  await root.code(phone.wrongCode(), "Confirm");
  await look(root, "scan");
  root.phone = phone;
  await root.code(phone.code(), "Confirm");
  await root.page.waitForURL("**/account/recovery-codes?notice=set-up");
});

test("the account", async () => {
  const alice = await world.user("alice@example.com");
  await look(alice, "account");
  await alice.page.goto("/account/recovery-codes");
  await look(alice, "recovery_codes");
  world.wait(301);
  await alice.page.goto("/account/authenticators/new");
  await look(alice, "step_up");
  await alice.page.getByLabel("Password").fill("four plain words of mine");
  await alice.press("Continue");
  await look(alice, "set_up");
  alice.phone = await alice.setUp("My phone");
  await look(alice, "recovery_codes");
  await alice.recoveryCodes();
  await look(alice, "recovery_codes");
  const pages = { "/": "home", "/account": "account", "/account/activity": "activity", "/account/turn-off": "turn_off", "/account/browsers/forget": "forget", "/account/password": "password", "/account/step-up": "step_up", "/account/step-up?with=recovery": "step_up", "/admin": "problem" };
  for (const [path, template] of Object.entries(pages)) {
    await alice.page.goto(path);
    await look(alice, template);
  }
  await alice.page.goto("/account");
  await alice.follow("Change My phone");
  await look(alice, "authenticator");
});

test("the second step of a sign-in", async () => {
  const { phone } = await world.enrolled("bob@example.com");
  const bob = await world.visitor();
  await bob.password("bob@example.com");
  await look(bob, "code");
  await bob.follow("I do not have my phone");
  await look(bob, "code");
  await bob.page.goto("/sign-in/clock");
  await look(bob, "clock");
  await bob.page.goto("/sign-in/code");
  for (const _ of [1, 2, 3]) await bob.code(phone.wrongCode());
  await bob.reads("You can try again in");
  await look(bob, "code");
});

test("the pages of administrators", async () => {
  const root = await world.administrator();
  for (const [path, template] of Object.entries({ "/admin": "admin", "/admin?text=zebra": "admin", "/admin/log": "log" })) {
    await root.page.goto(path);
    await look(root, template);
  }
  await root.page.goto("/admin?text=bob");
  await root.follow("Open bob@example.com");
  await look(root, "admin_user");
  await root.press("Make a code");
  await root.page.locator("#code").waitFor();
  await look(root, "admin_user");
});

test("what is wrong with a page is found", async () => {
  const visitor = await world.visitor();
  const planted = {
    "label: ": () => document.querySelector("label").remove(),
    "color-contrast: ": () => (document.querySelector("main label").style.color = "#808890"),
    "it scrolls sideways": () => (document.querySelector("h1").style.width = "400px"),
  };
  for (const [fault, plant] of Object.entries(planted)) {
    await visitor.page.goto("/sign-in");
    await visitor.page.evaluate(plant);
    await assert.rejects(look(visitor, "sign_in"), ({ actual }) => actual.length > 0 && actual.every((told) => told.startsWith(fault)));
  }
});

// After the others, which have looked.
test("no page was left out", () => {
  const templates = new URL("../../templates/", import.meta.url);
  const pages = readdirSync(templates).filter((name) => readFileSync(new URL(name, templates), "utf8").startsWith("{% extends"));
  assert.deepEqual([...seen].sort(), pages.map((name) => name.replace(".html", "")).sort());
});

test("a QR code is read in both themes, on a phone and on a desk", async () => {
  const carol = await world.user("carol@example.com");
  await carol.follow("Set up a second factor");
  await carol.showQr("My phone");
  const link = await carol.page.getByRole("link", { name: "Open it in the app" }).getAttribute("href");
  for (const width of [360, 1280]) {
    for (const colorScheme of ["light", "dark"]) {
      await carol.page.setViewportSize({ width, height: 800 });
      await carol.page.emulateMedia({ colorScheme });
      assert.equal(read(await carol.page.screenshot({ fullPage: true })), link);
    }
  }
});
