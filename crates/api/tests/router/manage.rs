//! What sites have already: paths, versions, and how requests are read.

use serde_json::json;

use crate::common::Api;

const HOST: &str = "host=node1%40blocks";

#[tokio::test]
async fn lists_are_read_as_cinder_reads_them() {
    let api = Api::new().await;
    for (path, since) in [
        ("/v3/os-volume-manage", "3.0"),
        ("/v3/manageable_volumes/detail", "3.8"),
        ("/v3/os-snapshot-manage/detail", "3.0"),
        ("/v3/manageable_snapshots", "3.8"),
    ] {
        if since == "3.8" {
            let older = api
                .call("3.7", "GET", &format!("{path}?{HOST}"), None)
                .await;
            assert_eq!(older.status, 404, "{path}");
            assert_eq!(
                older.fault("itemNotFound").1,
                "The resource could not be found."
            );
        }
        let told = api.call(since, "GET", path, None).await;
        let why = "Invalid input received: Host field is missing.";
        assert_eq!(told.fault("badRequest"), (400, why));
        let both = format!("{path}?{HOST}&cluster=c");
        let why = "Invalid input received: One and only one of cluster and host must be set.";
        assert_eq!(api.get(&both).await.fault("badRequest"), (400, why));
        // A version that knows no clusters does not look at them.
        let told = api.call("3.16", "GET", &both, None).await;
        assert_eq!(told.status, 404);
        let sorted = format!("{path}?{HOST}&sort=name:asc");
        let why = "Invalid input received: Invalid sort keys passed: name";
        assert_eq!(api.get(&sorted).await.fault("badRequest"), (400, why));
        for good in [
            "sort=size:asc,reference",
            "sort_dir=asc",
            "limit=1&offset=2",
        ] {
            let found = api.get(&format!("{path}?{HOST}&{good}")).await;
            let why = "Service cinder-volume could not be found on host node1@blocks.";
            assert_eq!(found.fault("itemNotFound"), (404, why));
        }
        let marked = api.get(&format!("{path}?{HOST}&marker=x")).await;
        let why =
            "Invalid input received: marker x can not be analysed, please use json like format";
        assert_eq!(marked.fault("badRequest"), (400, why));
    }
}

#[tokio::test]
async fn what_is_to_be_taken_over_is_checked_first() {
    let api = Api::new().await;
    let path = "/v3/manageable_volumes";
    let of = |reference| json!({ "volume": { "host": "a@b", "ref": reference } });
    let missing = api.post(path, of(json!({ "source-name": "x" }))).await;
    assert_eq!(
        missing.fault("serviceUnavailable"),
        (503, "Host 'a@b' not found")
    );
    for useless in [
        json!("x"),
        json!({}),
        json!({ "source-id": "x" }),
        json!({ "source-name": 3 }),
    ] {
        let told = api.post(path, of(useless)).await;
        assert!(told.fault("badRequest").1.contains("source-name"));
    }
    let body = json!({ "volume": { "host": "a@b", "ref": {}, "size": 1 } });
    assert_eq!(api.post(path, body).await.status, 400);
    let body = json!({ "volume": { "cluster": "c", "ref": { "source-name": "x" } } });
    let told = api.post(path, body.clone()).await;
    assert_eq!(
        told.fault("serviceUnavailable"),
        (503, "Cluster 'c' not found")
    );
    let older = api
        .call("3.15", "POST", "/v3/os-volume-manage", Some(body))
        .await;
    assert_eq!(older.status, 400);
    let body = json!({ "snapshot": {
        "volume_id": "5aa119a8-d25b-45a7-8d1b-88e127885635", "ref": { "source-name": "x" },
    } });
    let told = api.post("/v3/os-snapshot-manage", body).await;
    let why = "Volume 5aa119a8-d25b-45a7-8d1b-88e127885635 could not be found.";
    assert_eq!(told.fault("itemNotFound"), (404, why));
}
