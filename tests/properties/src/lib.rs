//! Tests of `softtoken` whose own dependencies take longer to compile than all of its: a package of
//! its own, so that whoever runs an example does not wait for them.
