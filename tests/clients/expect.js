// What a flow demands.

export function same(found, wanted) {
  if (found !== wanted) throw new Error(`${found} instead of ${wanted}`);
}

export async function fails(promise, name) {
  let told;
  try {
    await promise;
  } catch (error) {
    told = error;
  }
  if (!told) throw new Error(`it succeeded, and ${name} was due`);
  const found = told.name === 'Error' ? told.code : told.name;
  same(found, name);
}
