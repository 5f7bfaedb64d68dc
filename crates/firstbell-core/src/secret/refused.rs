//! What nobody can do with a secret by accident: each of these programs must not compile, while the one beside it does.
//!
//! Seen by rustdoc's tests only. A program that fails to compile for another reason would prove nothing; that is why each has
//! a twin that differs in the forbidden thing alone.

/// It cannot be printed.
///
/// ```
/// use firstbell_core::secret::{Secret, SecretBytes};
/// println!("{:?} {:?}", Secret::new("x".into()), SecretBytes::new(vec![1]));
/// ```
/// ```compile_fail
/// use firstbell_core::secret::{Secret, SecretBytes};
/// println!("{} {:?}", Secret::new("x".into()), SecretBytes::new(vec![1]));
/// ```
/// ```compile_fail
/// use firstbell_core::secret::{Secret, SecretBytes};
/// println!("{:?} {}", Secret::new("x".into()), SecretBytes::new(vec![1]));
/// ```
/// ```compile_fail
/// use firstbell_core::secret::{Secret, SecretBytes};
/// println!("{:?} {:x?}", Secret::new("x".into()).to_string(), SecretBytes::new(vec![1]));
/// ```
pub struct Printed;

/// It cannot be written into a file, a message or a reply.
///
/// ```
/// fn write(what: impl serde::Serialize) {}
/// write(firstbell_core::secret::Secret::new("x".into()).expose());
/// write(firstbell_core::secret::SecretBytes::new(vec![1]).expose());
/// ```
/// ```compile_fail
/// fn write(what: impl serde::Serialize) {}
/// write(firstbell_core::secret::Secret::new("x".into()));
/// ```
/// ```compile_fail
/// fn write(what: impl serde::Serialize) {}
/// write(firstbell_core::secret::SecretBytes::new(vec![1]));
/// ```
pub struct Serialized;

/// It cannot be compared in passing, which would take as long as the beginnings are alike.
///
/// ```
/// use firstbell_core::secret::Secret;
/// assert!(Secret::new("x".into()).is_same(&Secret::new("x".into())));
/// ```
/// ```compile_fail
/// use firstbell_core::secret::Secret;
/// assert!(Secret::new("x".into()) == Secret::new("x".into()));
/// ```
/// ```compile_fail
/// use firstbell_core::secret::Secret;
/// assert!(Secret::new("x".into()) == "x");
/// ```
/// ```compile_fail
/// use firstbell_core::secret::SecretBytes;
/// assert!(SecretBytes::new(vec![1]) == SecretBytes::new(vec![1]));
/// ```
pub struct Compared;

/// It is no text and no bytes to whoever takes those: one has to say `expose`, which `house.rs` looks for.
///
/// ```
/// fn take(text: &str, bytes: &[u8]) {}
/// take(firstbell_core::secret::Secret::new("x".into()).expose(), firstbell_core::secret::SecretBytes::new(vec![1]).expose());
/// ```
/// ```compile_fail
/// fn take(text: &str) {}
/// take(&firstbell_core::secret::Secret::new("x".into()));
/// ```
/// ```compile_fail
/// fn take(text: impl AsRef<str>) {}
/// take(firstbell_core::secret::Secret::new("x".into()));
/// ```
/// ```compile_fail
/// fn take(text: impl Into<String>) {}
/// take(firstbell_core::secret::Secret::new("x".into()));
/// ```
/// ```compile_fail
/// fn take(bytes: impl AsRef<[u8]>) {}
/// take(firstbell_core::secret::SecretBytes::new(vec![1]));
/// ```
/// ```compile_fail
/// let text = firstbell_core::secret::Secret::new("x".into()).0;
/// ```
pub struct Unwrapped;
