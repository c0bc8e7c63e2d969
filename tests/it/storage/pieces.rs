//! Blobs that are written in pieces.

use keyvault_backup::azure::container::Written;

use super::{metadata, stage::Stage};

/// In write-once storage of the container kind, whichever of its two words the service finds first.
pub async fn a_blob_in_pieces_appears_once_and_whole(stage: &mut Stage) {
    for (name, write_once, policy_first) in
        [("pieces", false, false), ("pieces-once", true, false), ("pieces-policy", true, true)]
    {
        let container = stage.container(name).await;
        stage.world.work.set_append_only(name, write_once);
        stage.world.work.set_policy_first(name, policy_first);
        for expected in [Written::Created, Written::AlreadyThere] {
            let mut blocks = container.begin("pieces");
            blocks.add(b"forgotten".to_vec()).await.expect("it is added");
            blocks.restart();
            blocks.add(b"one ".to_vec()).await.expect("it is added");
            blocks.add(b"two ".to_vec()).await.expect("it is added");
            let written = blocks.finish(b"three".to_vec(), metadata("pieces")).await.expect("it is finished");
            assert_eq!(written, expected, "{name}");
            let bytes = container.read("pieces").await.expect("it is read").expect("it is there");
            assert_eq!(bytes, b"one two three".as_slice());
            let again = container.create("pieces", b"whole".to_vec(), metadata("whole")).await;
            assert_eq!(again.expect("it is answered"), Written::AlreadyThere, "{name}");
        }
        assert_eq!(container.metadata("pieces").await.expect("it is read"), Some(metadata("pieces")));
    }
}

pub async fn of_two_writers_in_pieces_one_wins(stage: &mut Stage) {
    let container = stage.container("mixed").await;
    let (mut first, mut second) = (container.begin("blob"), container.begin("blob"));
    first.add(b"a1 ".to_vec()).await.expect("it is added");
    second.add(b"b1 ".to_vec()).await.expect("it is added");
    second.add(b"b2 ".to_vec()).await.expect("it is added");
    first.add(b"a2 ".to_vec()).await.expect("it is added");
    let finished = second.finish(b"b3".to_vec(), metadata("b")).await;
    assert_eq!(finished.expect("it is finished"), Written::Created);
    let late = first.finish(b"a3".to_vec(), metadata("a")).await;
    assert_eq!(late.expect("it is finished"), Written::AlreadyThere);
    let bytes = container.read("blob").await.expect("it is read").expect("it is there");
    assert_eq!(bytes, b"b1 b2 b3".as_slice());
    assert_eq!(container.metadata("blob").await.expect("it is read"), Some(metadata("b")));
}
