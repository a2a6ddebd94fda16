//! The types of the spec's replies, asked for where a command's own reply is anything.

use respec::{
    cmd,
    command::raw,
    prelude::*,
    reply::{
        ClientInfo, ClusterNode, CommandInfo, Role, ScanPage, ServerInfo, StreamEntry, StreamInfo,
    },
};

use crate::caller::all;

#[test]
fn raw_commands_and_scripts_answer_with_types_of_the_spec() {
    for case in all("requested:s") {
        let (name, caller) = (case.name, &case.caller);
        caller.call(cmd::del("requested:s")).unwrap();
        for at in 1..=2 {
            let add = cmd::xadd("requested:s", format!("{at}-1"), ("f", "v"));
            caller.call(add).unwrap();
        }
        let entries: Vec<StreamEntry> = caller
            .call(
                raw("EVAL")
                    .arg("return redis.call('XRANGE', KEYS[1], '-', '+')")
                    .arg(1)
                    .key("requested:s")
                    .decode(),
            )
            .unwrap();
        assert_eq!(
            entries,
            caller.call(cmd::xrange("requested:s", "-", "+")).unwrap(),
            "{name}"
        );
        assert_eq!(entries.len(), 2, "{name}");
        let info: StreamInfo = caller
            .call(raw("XINFO").arg("STREAM").key("requested:s").decode())
            .unwrap();
        assert_eq!(info.length, 2, "{name}");
        let commands: Vec<Option<CommandInfo>> = caller
            .call(raw("COMMAND").arg("INFO").arg("get").arg("nope").decode())
            .unwrap();
        assert!(commands[0].is_some() && commands[1].is_none(), "{name}");
    }
    for case in all("requested:s")
        .into_iter()
        .filter(|case| !case.is_cluster)
    {
        let (name, caller) = (case.name, &case.caller);
        let clients: Vec<ClientInfo> = caller.call(raw("CLIENT").arg("LIST").decode()).unwrap();
        assert!(!clients.is_empty(), "{name}");
        let own: ClientInfo = caller.call(raw("CLIENT").arg("INFO").decode()).unwrap();
        assert!(
            clients.iter().all(|client| client.id > 0) && own.id > 0,
            "{name}"
        );
        let info: ServerInfo = caller.call(raw("INFO").arg("server").decode()).unwrap();
        assert!(info.section("Server").is_some(), "{name}");
        let role: Role = caller.call(raw("ROLE").decode()).unwrap();
        assert!(matches!(role, Role::Primary { .. }), "{name}: {role:?}");
        let page: ScanPage<Vec<String>> = caller.call(raw("SCAN").arg(0).decode()).unwrap();
        assert!(page.items.iter().all(|key| !key.is_empty()), "{name}");
    }
    for case in all("requested:s")
        .into_iter()
        .filter(|case| case.is_cluster)
    {
        let (name, caller) = (case.name, &case.caller);
        let nodes: Vec<ClusterNode> = caller.call(raw("CLUSTER").arg("NODES").decode()).unwrap();
        assert!(nodes.len() >= 3, "{name}");
    }
}
