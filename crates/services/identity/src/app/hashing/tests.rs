//! What hashing promises: the parameters, the bound, and that nobody's hash costs the same.

use futures::FutureExt as _;
use futures::future::join_all;

use super::*;

fn hashing(cores: usize) -> Hashing {
    Hashing::new(cores, 0, &Metrics::new("identity")).unwrap()
}

fn password(text: &str) -> Password {
    Password::typed(text)
}

#[tokio::test]
async fn a_password_fits_its_own_hash_alone() {
    let hashing = hashing(2);
    let hash = hashing.hash(password("correct horse")).await.unwrap();
    assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
    assert!(hashing.is_right(password("correct horse"), Some(&hash)).await.unwrap());
    assert!(!hashing.is_right(password("Correct horse"), Some(&hash)).await.unwrap());
    let again = hashing.hash(password("correct horse")).await.unwrap();
    assert_ne!(hash.as_str(), again.as_str(), "each hash has a salt of its own");
}

#[tokio::test]
async fn nobody_has_a_hash_of_the_same_cost_and_is_never_right() {
    let (hashing, somebody) = (hashing(1), hashing(1).hash(password("correct horse")).await.unwrap());
    let (nobody, somebody) = (PasswordHash::new(NOBODY).unwrap(), PasswordHash::new(somebody.as_str()).unwrap());
    assert_eq!(nobody.algorithm, somebody.algorithm);
    assert_eq!(nobody.version, somebody.version);
    assert_eq!(nobody.params.to_string(), somebody.params.to_string());
    assert_eq!(nobody.hash.unwrap().len(), somebody.hash.unwrap().len());
    assert_eq!(nobody.salt.unwrap().len(), somebody.salt.unwrap().len());
    assert!(!hashing.is_right(password("correct horse"), None).await.unwrap());
}

#[tokio::test]
async fn a_stored_text_that_is_no_hash_is_an_error_and_not_a_wrong_password() {
    let stored = Hash::from_stored("plain text".into());
    assert!(matches!(hashing(1).is_right(password("plain text"), Some(&stored)).await, Err(Error::Failed(_))));
}

#[tokio::test]
async fn whoever_finds_the_queue_full_is_refused_at_once_and_the_others_are_served() {
    let hashing = hashing(1);
    // The one core is taken until all have asked.
    let core = Arc::clone(&hashing.cores).acquire_owned().await.unwrap();
    let asked = Instant::now();
    let (mut refused, mut waiting) = (0, Vec::new());
    for _ in 0..QUEUE + 11 {
        let mut one = Box::pin(hashing.hash(password("correct horse")));
        match (&mut one).now_or_never() {
            Some(Err(Error::Busy)) => refused += 1,
            Some(other) => panic!("{:?}", other.map(drop)),
            None => waiting.push(one.map(|result| (result, asked.elapsed()))),
        }
    }
    assert_eq!((refused, waiting.len()), (10, QUEUE + 1));
    drop(core);

    // On a busy machine the last of them may lose patience.
    let served = join_all(waiting).await;
    let is_fine = |(result, after): &(Result<Hash, Error>, Duration)| {
        result.is_ok() || (matches!(result, Err(Error::Busy)) && *after >= PATIENCE)
    };
    assert!(served[0].0.is_ok() && served.iter().all(is_fine), "{served:?}");
    assert!(hashing.hash(password("correct horse")).await.is_ok(), "the places are free again");
}

#[tokio::test]
async fn a_caller_who_leaves_gives_its_place_back() {
    let hashing = hashing(1);
    for _ in 0..3 {
        assert!(hashing.hash(password("correct horse")).now_or_never().is_none(), "it takes time");
    }
    let all = timeout(PATIENCE * 2, async {
        while hashing.room.available_permits() < QUEUE + 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(all.await.is_ok(), "{} places", hashing.room.available_permits());
}
