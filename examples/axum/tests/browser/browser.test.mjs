// What browsers do that nobody thinks of: tabs, the back button, forms that are sent twice, a server that starts anew.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { PASSWORD, World } from "./world.mjs";

const world = await World.open();
afterEach(() => world.rest());

const SET_UP = "An authenticator was set up: “My phone”";

/** Opens the QR code of a first authenticator. */
async function scanning(email, options) {
  const visitor = await world.user(email, options);
  await visitor.follow("Set up a second factor");
  visitor.phone = await visitor.showQr("My phone");
  return visitor;
}

/** Counts the events of this name in the account's own log. */
async function events(visitor, sentence) {
  await visitor.page.goto("/account/activity");
  const all = await visitor.page.locator(".log strong").allTextContents();
  return all.filter((event) => event === sentence).length;
}

test("pages that are open over a restart of the server go on", async () => {
  const { phone } = await world.enrolled("alice@example.com");
  const alice = await world.visitor();
  await alice.password("alice@example.com");
  const bob = await scanning("bob@example.com");
  const carol = await world.enrolled("carol@example.com");

  await world.restart();
  await alice.code(phone.code());
  await alice.page.waitForURL("**/account");
  await bob.code(bob.phone.code(), "Confirm");
  await bob.page.waitForURL("**/account/recovery-codes?notice=set-up");
  await carol.page.goto("/account");
  await carol.reads("My phone");
});

test("the back button leads to a form that is whole", async () => {
  const { phone } = await world.enrolled("berta@example.com");
  const berta = await world.visitor();
  await berta.password("berta@example.com");
  await berta.follow("I do not have my phone");
  await berta.page.goBack({ waitUntil: "commit" });
  await berta.page.getByRole("heading", { name: "Type your code" }).waitFor();
  await berta.code(phone.code());
  await berta.page.waitForURL("**/account");
});

test("an address that a form alone leads to says so, and leads back", async () => {
  const root = await world.administrator();
  const answer = await root.page.goto("/sign-out");
  assert.equal(answer.status(), 405);
  await root.reads("There is no page at this address");
  await root.reads("root@example.com", "footer");
  await root.follow("Go to your account");
  await root.page.waitForURL("**/account");
});

test("a double click on confirm sets up one authenticator", async () => {
  const dora = await scanning("dora@example.com");
  await dora.page.getByLabel("Code that the app shows").fill(dora.phone.code());
  await dora.page.getByRole("button", { name: "Confirm" }).dblclick();
  await dora.page.waitForURL("**/account/recovery-codes?notice=set-up");
  assert.equal(await events(dora, SET_UP), 1);
});

test("a form that is sent twice does its work once", async () => {
  const emil = await scanning("emil@example.com");
  // The answer to the first one is lost.
  await emil.page.route("**/confirm", async (route) => {
    assert.equal((await route.fetch({ maxRedirects: 0 })).status(), 303);
    await route.continue();
  });
  await emil.code(emil.phone.code(), "Confirm");
  await emil.page.waitForURL("**/account/recovery-codes?notice=already");
  assert.equal(await events(emil, SET_UP), 1);

  // Both at once.
  await emil.signOut();
  await emil.password("emil@example.com");
  let sent = 0;
  await emil.page.route("**/sign-in/code", async (route) => {
    sent += 1;
    await Promise.all([route.fetch({ maxRedirects: 0 }), route.continue()]);
  });
  await emil.code(emil.phone.code());
  assert.equal(sent, 1);
  await emil.page.goto("/account");
  await emil.reads("My phone");
  assert.equal(await events(emil, "A code was accepted: “My phone”"), 1);
});

test("a page of recovery codes that is loaded again shows codes that work", async () => {
  const fred = await world.enrolled("fred@example.com");
  const before = await fred.recoveryCodes();
  await fred.page.reload();
  const codes = await fred.page.locator("#codes code").allTextContents();
  assert.equal(codes.length, 10);
  await fred.page.goto("/account");
  await fred.reads("10 left");
  await fred.signOut();
  await fred.password("fred@example.com");
  await fred.follow("I do not have my phone");
  await fred.code(before.find((code) => !codes.includes(code)) ?? "");
  await fred.isAdvised(/./);
  await fred.code(codes[0]);
  await fred.page.waitForURL("**/account?notice=recovered");
});

test("of two tabs that set a phone up, the later QR code counts", async () => {
  const first = await scanning("gina@example.com");
  const second = await first.tab();
  await second.page.goto("/account/authenticators/new");
  const phone = await second.showQr("My tablet");
  await first.code(first.phone.code(), "Confirm");
  await first.isAdvised("That code is not right");
  await first.page.getByRole("link", { name: "show a new one" }).waitFor();
  await second.code(phone.code(), "Confirm");
  await second.page.waitForURL("**/account/recovery-codes?notice=set-up");
  await second.page.goto("/account");
  await second.reads("My tablet");
  assert.equal(await second.page.getByText("My phone").count(), 0);
});

test("two tabs sign in and out as one browser", async () => {
  const { phone } = await world.enrolled("hugo@example.com");
  const first = await world.visitor();
  await first.password("hugo@example.com");
  const second = await first.tab();
  await second.password("hugo@example.com");
  // The first tab's page is older, and good all the same.
  await first.code(phone.code());
  await first.page.waitForURL("**/account");
  await second.code(phone.code());
  await second.page.waitForURL("**/account");
  await first.signOut();
  await second.follow("Activity");
  assert.equal(second.path, "/sign-in");
});

test("after a sign-out the back button shows nothing of the account", async () => {
  const ines = await world.enrolled("ines@example.com");
  const codes = await ines.recoveryCodes();
  await ines.page.goto("/account");
  await ines.signOut();
  const shown = [];
  for (const _ of [1, 2, 3, 4, 5, 6, 7, 8]) {
    // A page that the browser would have to send a form for is an error of the browser's.
    await ines.page.goBack({ timeout: 5_000 }).catch(() => {});
    const page = await ines.page.locator("html").innerHTML();
    shown.push(ines.page.url());
    assert.ok(!page.includes("ines@example.com"), ines.page.url());
    assert.ok(!codes.some((code) => page.includes(code)), ines.page.url());
    assert.ok(!page.includes('class="qr"'), ines.page.url());
  }
  // It went back to pages of the account, and was asked to sign in.
  assert.ok(shown.some((url) => url.endsWith("/sign-in?next=/account")), shown.join(" "));
});

test("a form of another site does nothing", async () => {
  const jana = await world.user("jana@example.com");
  const elsewhere = await jana.tab();
  await elsewhere.page.setContent(`<form method="post" action="${world.origin}/sign-out"><button>Win a phone</button></form>`);
  await elsewhere.press("Win a phone");
  await elsewhere.page.getByText("This form did not come from a page of this server.").waitFor();
  await jana.page.goto("/account");
  assert.equal(jana.path, "/account");
});

test("a keyboard is enough, and shows where it is", async () => {
  const { phone } = await world.enrolled("karl@example.com");
  const karl = await world.visitor();
  const { keyboard } = karl.page;
  const seen = () =>
    karl.page.evaluate(() => {
      const style = getComputedStyle(document.activeElement);
      return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    });
  const tab = async (name) => {
    await keyboard.press("Tab");
    assert.ok(await seen(), name);
    const at = await karl.page.evaluate(() => document.activeElement.labels?.[0]?.textContent ?? document.activeElement.textContent);
    assert.equal(at, name);
  };
  await karl.page.goto("/sign-in");
  await tab("Skip to the page");
  await keyboard.press("Enter");
  await tab("Email address");
  await keyboard.type("karl@example.com");
  await tab("Password");
  await keyboard.type(PASSWORD);
  await keyboard.press("Enter");
  await karl.page.waitForURL("**/sign-in/code");
  // The field of the code has the focus already.
  await keyboard.type(phone.code());
  await tab("Do not ask on this browser for 30 days");
  await keyboard.press("Space");
  await tab("Sign in");
  await keyboard.press("Enter");
  await karl.page.waitForURL("**/account");
});

test("what no page may do is seen when one does", async () => {
  const lisa = await world.visitor();
  await lisa.page.goto("/");
  await lisa.page.evaluate(() => document.body.setAttribute("onclick", "void 0"));
  await lisa.page.evaluate(() => document.head.append(Object.assign(document.createElement("style"), { textContent: "p {}" })));
  // Waited for: a page that is left has no time any more.
  const thrown = lisa.page.waitForEvent("pageerror");
  await lisa.page.evaluate(() => setTimeout(() => { throw new Error("planted"); }));
  await thrown;
  await lisa.page.goto(world.origin.replace("127.0.0.1", "localhost"));
  await lisa.page.context().close();
  const faults = world.faults.splice(0).join("\n");
  for (const fault of [/inline event handler/, /inline style/, /Error: planted/, /a request to http:\/\/localhost/]) assert.match(faults, fault);
});
