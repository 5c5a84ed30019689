// The page: the clients that people use in a browser, bundled with nothing in between.
import * as amplify5 from './clients/amplify-5.js';
import * as amplify6 from './clients/amplify-6.js';
import * as identity from './clients/identity-js.js';
import { fails, same } from './expect.js';

const clients = [amplify6, amplify5, identity];

// Phone and administrator stand outside: `code` and the others are given by whoever opens the page.
window.run = (name, flow, world) => {
  const { code, wrongCode, remove, wait } = window;
  const client = clients.find((client) => client.name === name);
  const admin = async (operation, members) => {
    const { refused, answer } = await window.admin(operation, members);
    if (refused) throw Object.assign(new Error(refused), { name: refused });
    return answer;
  };
  const outside = { admin, code, wrongCode, wait, same, fails };
  return client.flows({ ...world, ...outside })[flow]({ ...world, remove });
};
