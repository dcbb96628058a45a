//! Closed lists of words.

/// Makes an enum of the words of one key: its reader with "did you mean", its schema, its documentation.
macro_rules! words {
    (
        $(#[doc = $doc:literal])+
        pub enum $name:ident: $what:literal {
            $( $(#[doc = $vdoc:literal])+ $variant:ident = $word:literal, )+
        }
        $( later { $( $later:literal ),* $(,)? } )?
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $( $(#[doc = $vdoc])+ $variant, )+
        }

        impl $crate::decode::FromText for $name {
            fn wording() -> String {
                let words = [$($word),+];
                format!("{}: {}", $what, $crate::diagnostic::listed(words))
            }

            fn from_text(text: &str) -> Result<Self, $crate::decode::Refusal> {
                let later: &[&str] = &[$($($later),*)?];
                match text {
                    $( $word => Ok(Self::$variant), )+
                    _ if later.contains(&text) => Err($crate::decode::Refusal {
                        code: $crate::diagnostic::Code::NOT_YET,
                        ..$crate::decode::Refusal::because(format!(
                            "`{text}` is not supported yet"
                        ))
                    }
                    .help(Some($crate::decode::NOT_YET_HELP.to_owned()))),
                    _ => {
                        let words = [$($word),+].into_iter().chain(later.iter().copied());
                        let near = $crate::decode::near_word(text, words);
                        Err($crate::decode::Refusal::unexpected()
                            .help(near.map(|near| format!("did you mean `{near}`?"))))
                    }
                }
            }

            fn text_schema() -> serde_json::Value {
                serde_json::json!({ "enum": [$($word),+] })
            }
        }
    };
}
pub(crate) use words;

/// The word that was meant: the same in other letters or behind a `/` (`amd64` for `linux/amd64`), else the nearest.
pub(crate) fn near_word<'a>(
    text: &str,
    words: impl Iterator<Item = &'a str> + Clone,
) -> Option<&'a str> {
    let same = |word: &&str| {
        let tail = word.rsplit('/').next().unwrap_or_default();
        word.eq_ignore_ascii_case(text) || tail.eq_ignore_ascii_case(text)
    };
    words
        .clone()
        .find(same)
        .or_else(|| crate::diagnostic::nearest(text, words))
}
