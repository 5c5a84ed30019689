// @aws-sdk/client-cognito-identity-provider: the operations themselves. It computes no SRP.
import * as sdk from '@aws-sdk/client-cognito-identity-provider';

export const name = '@aws-sdk/client-cognito-identity-provider';
export const signsInBy = 'password';

export function flows({ endpoint, region, password, username, code, wrongCode, wait, same, fails }) {
  const credentials = { accessKeyId: 'any', secretAccessKey: 'any' };
  const service = new sdk.CognitoIdentityProviderClient({ endpoint, region, credentials });
  const call = (operation, input) => service.send(new sdk[`${operation}Command`](input));

  const begin = ({ client }, given = password) =>
    call('InitiateAuth', {
      ClientId: client,
      AuthFlow: 'USER_PASSWORD_AUTH',
      AuthParameters: { USERNAME: username, PASSWORD: given },
    });

  const respond = ({ client }, ChallengeName, Session, answers) =>
    call('RespondToAuthChallenge', {
      ClientId: client,
      ChallengeName,
      Session,
      ChallengeResponses: { USERNAME: username, ...answers },
    });

  const tokens = ({ AuthenticationResult: issued }) => ({
    access: issued.AccessToken,
    id: issued.IdToken,
    refresh: issued.RefreshToken,
  });

  async function enrol(pool) {
    const challenge = await begin(pool);
    same(challenge.ChallengeName, 'MFA_SETUP');
    const { SecretCode: secret, Session } = await call('AssociateSoftwareToken', {
      Session: challenge.Session,
    });
    const UserCode = await code(secret, 0);
    const verified = await call('VerifySoftwareToken', { Session, UserCode });
    same(verified.Status, 'SUCCESS');
    return { secret, issued: tokens(await respond(pool, 'MFA_SETUP', verified.Session, {})) };
  }

  return {
    async 'sign-up'({ optional }) {
      const email = { Name: 'email', Value: `${username}@example.org` };
      const signUp = { ClientId: optional.client, Username: username };
      await call('SignUp', { ...signUp, Password: password, UserAttributes: [email] });
      await call('ConfirmSignUp', { ...signUp, ConfirmationCode: '123456' });
      tokens(await begin(optional));
    },
    async 'sign-in'({ optional }) {
      await fails(begin(optional, `${password}.`), 'NotAuthorizedException');
      return tokens(await begin(optional));
    },
    async 'MFA_SETUP by session'({ required }) {
      return (await enrol(required)).issued;
    },
    async 'code, a wrong one first'({ required }) {
      const { secret } = await enrol(required);
      const { ChallengeName, Session } = await begin(required);
      const answer = async (given) =>
        respond(required, ChallengeName, Session, { SOFTWARE_TOKEN_MFA_CODE: given });
      await fails(answer(await wrongCode(secret)), 'CodeMismatchException');
      return tokens(await answer(await code(secret, 1)));
    },
    async 'preference'({ optional }) {
      const AccessToken = tokens(await begin(optional)).access;
      const { SecretCode: secret } = await call('AssociateSoftwareToken', { AccessToken });
      await call('VerifySoftwareToken', { AccessToken, UserCode: await code(secret, 0) });
      const SoftwareTokenMfaSettings = { Enabled: true, PreferredMfa: true };
      await call('SetUserMFAPreference', { AccessToken, SoftwareTokenMfaSettings });
      const user = await call('GetUser', { AccessToken });
      same(user.PreferredMfaSetting, 'SOFTWARE_TOKEN_MFA');
      const { ChallengeName, Session } = await begin(optional);
      const given = { SOFTWARE_TOKEN_MFA_CODE: await code(secret, 1) };
      const proven = tokens(await respond(optional, ChallengeName, Session, given));
      await call('SetUserMFAPreference', {
        AccessToken: proven.access,
        SoftwareTokenMfaSettings: { Enabled: false, PreferredMfa: false },
      });
      return tokens(await begin(optional));
    },
    async 'refresh after expiry'({ short }) {
      const before = tokens(await begin(short));
      await wait();
      await fails(call('GetUser', { AccessToken: before.access }), 'NotAuthorizedException');
      const after = tokens(
        await call('InitiateAuth', {
          ClientId: short.client,
          AuthFlow: 'REFRESH_TOKEN_AUTH',
          AuthParameters: { REFRESH_TOKEN: before.refresh },
        }),
      );
      await call('GetUser', { AccessToken: after.access });
      return after;
    },
    async 'sign-out'({ optional }) {
      const { access: AccessToken } = tokens(await begin(optional));
      await call('GlobalSignOut', { AccessToken });
      await fails(call('GetUser', { AccessToken }), 'NotAuthorizedException');
    },
    async 'lost phone'({ required, remove }) {
      await enrol(required);
      await remove(username);
      return (await enrol(required)).issued;
    },
  };
}
