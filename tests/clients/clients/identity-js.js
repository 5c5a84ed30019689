// amazon-cognito-identity-js, by its defaults.
import {
  AuthenticationDetails,
  CognitoUser,
  CognitoUserAttribute,
  CognitoUserPool,
} from 'amazon-cognito-identity-js';

export const name = 'amazon-cognito-identity-js';
export const signsInBy = 'SRP';

export function flows({ endpoint, password, username, code, wrongCode, admin, wait, same, fails }) {
  let pool;
  const use = (named) => {
    pool = new CognitoUserPool({ UserPoolId: named.pool, ClientId: named.client, endpoint });
  };
  const fresh = () => new CognitoUser({ Username: username, Pool: pool });

  // Whatever a callback object is told, as a promise of its name and value.
  const told = (run) =>
    new Promise((resolve, reject) => {
      const tell = (callback) => (...values) => resolve({ callback, values });
      run({
        onSuccess: tell('onSuccess'),
        onFailure: reject,
        mfaSetup: tell('mfaSetup'),
        totpRequired: tell('totpRequired'),
        newPasswordRequired: tell('newPasswordRequired'),
        associateSecretCode: tell('associateSecretCode'),
      });
    });
  const done = (run) =>
    new Promise((resolve, reject) => run((error, value) => (error ? reject(error) : resolve(value))));

  async function begin(callback, given = password) {
    const user = fresh();
    const details = new AuthenticationDetails({ Username: username, Password: given });
    const answer = await told((callbacks) => user.authenticateUser(details, callbacks));
    same(answer.callback, callback);
    return user;
  }

  async function associate(user) {
    const answer = await told((callbacks) => user.associateSoftwareToken(callbacks));
    same(answer.callback, 'associateSecretCode');
    const secret = answer.values[0];
    const given = await code(secret, 0);
    await told((callbacks) => user.verifySoftwareToken(given, 'phone', callbacks));
    return secret;
  }

  async function enrol() {
    const user = await begin('mfaSetup');
    return { user, secret: await associate(user) };
  }

  const respond = async (user, given) =>
    same(
      (await told((callbacks) => user.sendMFACode(given, callbacks, 'SOFTWARE_TOKEN_MFA'))).callback,
      'onSuccess',
    );

  const session = (user) => done((callback) => user.getSession(callback));

  async function tokens(user) {
    const held = await session(user);
    if (!held.isValid()) throw new Error('no session');
    return { access: held.getAccessToken().getJwtToken(), id: held.getIdToken().getJwtToken() };
  }

  const prefer = (user, on) =>
    done((callback) => user.setUserMfaPreference(null, { Enabled: on, PreferredMfa: on }, callback));

  return {
    async 'sign-up'({ optional }) {
      use(optional);
      const email = new CognitoUserAttribute({ Name: 'email', Value: `${username}@example.org` });
      const { userConfirmed } = await done((callback) =>
        pool.signUp(username, password, [email], null, callback),
      );
      same(userConfirmed, false);
      same(await done((callback) => fresh().confirmRegistration('123456', true, callback)), 'SUCCESS');
      await begin('onSuccess');
    },
    async 'sign-in'({ optional }) {
      use(optional);
      await fails(begin('onSuccess', `${password}.`), 'NotAuthorizedException');
      return tokens(await begin('onSuccess'));
    },
    async 'MFA_SETUP by session'({ required }) {
      use(required);
      return tokens((await enrol()).user);
    },
    async 'code, a wrong one first'({ required }) {
      use(required);
      const { secret } = await enrol();
      const user = await begin('totpRequired');
      await fails(respond(user, await wrongCode(secret)), 'CodeMismatchException');
      await respond(user, await code(secret, 1));
      return tokens(user);
    },
    async 'preference'({ optional }) {
      use(optional);
      const user = await begin('onSuccess');
      const secret = await associate(user);
      await prefer(user, true);
      const data = await done((callback) => user.getUserData(callback, { bypassCache: true }));
      same(data.PreferredMfaSetting, 'SOFTWARE_TOKEN_MFA');
      user.signOut();
      const challenged = await begin('totpRequired');
      await respond(challenged, await code(secret, 1));
      await prefer(challenged, false);
      challenged.signOut();
      return tokens(await begin('onSuccess'));
    },
    async 'refresh after expiry'({ short }) {
      use(short);
      const user = await begin('onSuccess');
      const before = await tokens(user);
      await wait();
      const after = await tokens(fresh());
      if (before.access === after.access) throw new Error('the same access token');
      const again = fresh();
      await session(again);
      await done((callback) => again.getUserAttributes(callback));
      return after;
    },
    async 'sign-out'({ optional }) {
      use(optional);
      const user = await begin('onSuccess');
      const { access } = await tokens(user);
      await told((callbacks) => user.globalSignOut(callbacks));
      same(pool.getCurrentUser(), null);
      await fails(admin('GetUser', { AccessToken: access }), 'NotAuthorizedException');
    },
    async 'lost phone'({ required, remove }) {
      use(required);
      await enrol();
      await remove(username);
      return tokens((await enrol()).user);
    },
  };
}
