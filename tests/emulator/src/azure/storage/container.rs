//! Requests to Blob storage, answered.

use hyper::StatusCode;

use super::{
    account::{Account, Container},
    blob, blob_write, block,
    error::{container_not_found, error, unknown, unsupported_verb},
    immutable, list, metadata, put_from_url,
    upload::Upload,
};
use crate::azure::{
    World, call::Call, operation::Operation, reply::Reply, route::Route, timestamp::http_date,
};

/// Answers a request that carries a good token.
pub(crate) fn answer(world: &World, account: &Account, call: &Call) -> Reply {
    route(world, account, call).unwrap_or_else(|refusal| refusal)
}

/// A refusal is an answer, too. It comes as an error so that `?` ends the work.
fn route(world: &World, account: &Account, call: &Call) -> Result<Reply, Reply> {
    let container = &call.route.name;
    match call.route.operation {
        Operation::CreateContainer => return create(account, call),
        Operation::DeleteContainer => {
            read(account, call, |_| Ok(()))?;
            let removed = account.containers.write().remove(container);
            return removed
                .map(|_| Reply::new(StatusCode::ACCEPTED))
                .ok_or_else(|| container_not_found(call));
        }
        Operation::GetContainer => {
            return read(account, call, |container| Ok(container_reply(StatusCode::OK, container)));
        }
        Operation::ListBlobs => {
            return read(account, call, |container| {
                list::list(account, container, call, world.knobs.blob_page_size())
            });
        }
        _ => {}
    }
    let Some(name) = call.route.item.as_deref().filter(|_| call.route.operation != Operation::Other) else {
        return Err(no_route(call));
    };
    match call.route.operation {
        Operation::GetBlob => read(account, call, |container| blob::get(container, call, name)),
        Operation::GetBlobProperties => read(account, call, |container| blob::head(container, call, name)),
        Operation::PutBlob => {
            let upload = Upload::read(call)?;
            write(account, call, |container| blob_write::put(account, container, call, name, &upload))
        }
        Operation::PutBlobFromUrl => put_from_url::put(world, account, call, name),
        Operation::PutBlock => {
            let upload = Upload::read(call)?;
            write(account, call, |container| block::put(container, call, name, upload))
        }
        Operation::PutBlockList => {
            let upload = Upload::read(call)?;
            write(account, call, |container| block::put_list(account, container, call, name, &upload))
        }
        Operation::GetBlockList => read(account, call, |container| block::get_list(container, call, name)),
        Operation::UndeleteBlob => write(account, call, |container| blob::undelete(container, call, name)),
        Operation::SetImmutabilityPolicy => {
            write(account, call, |container| immutable::set(container, call, name))
        }
        Operation::DeleteImmutabilityPolicy => {
            write(account, call, |container| immutable::delete(container, call, name))
        }
        Operation::SetLegalHold => write(account, call, |container| immutable::hold(container, call, name)),
        Operation::SetBlobMetadata => {
            write(account, call, |container| blob_write::set_metadata(account, container, call, name))
        }
        Operation::DeleteBlob => {
            let keeping = account.keeping();
            write(account, call, |container| blob::delete(container, keeping, call, name))
        }
        _ => Err(no_route(call)),
    }
}

/// A method that no resource has is refused by the service; what else has no operation is not known.
pub(crate) fn no_route(call: &Call) -> Reply {
    match call.method.as_str() {
        "GET" | "HEAD" | "PUT" | "POST" | "DELETE" | "OPTIONS" => {
            unknown(call, &format!("the route {}", Route::words(call)))
        }
        _ => unsupported_verb(call),
    }
}

fn read<T>(
    account: &Account,
    call: &Call,
    answer: impl FnOnce(&Container) -> Result<T, Reply>,
) -> Result<T, Reply> {
    let containers = account.containers.read();
    let container = containers.get(&call.route.name).ok_or_else(|| container_not_found(call))?;
    account.guard.check(call, false)?;
    answer(container)
}

pub(super) fn write(
    account: &Account,
    call: &Call,
    answer: impl FnOnce(&mut Container) -> Result<Reply, Reply>,
) -> Result<Reply, Reply> {
    let mut containers = account.containers.write();
    let container = containers.get_mut(&call.route.name).ok_or_else(|| container_not_found(call))?;
    let exists = call.route.item.as_ref().is_some_and(|name| container.blobs.contains_key(name));
    account.guard.check(call, exists)?;
    container.forget(call.now);
    answer(container)
}

fn create(account: &Account, call: &Call) -> Result<Reply, Reply> {
    account.guard.check(call, false)?;
    let metadata = metadata::read(call)?;
    if !account.create_container(&call.route.name, metadata, call.now) {
        return Err(error(
            call,
            StatusCode::CONFLICT,
            "ContainerAlreadyExists",
            "The specified container already exists.",
        ));
    }
    let containers = account.containers.read();
    let made = containers.get(&call.route.name).ok_or_else(|| container_not_found(call))?;
    Ok(container_reply(StatusCode::CREATED, made))
}

fn container_reply(status: StatusCode, container: &Container) -> Reply {
    let mut reply = Reply::new(status)
        .header("etag", &container.etag)
        .header("last-modified", &http_date(container.last_modified));
    if status == StatusCode::OK {
        reply.set_static("x-ms-lease-state", "available");
        reply.set_static("x-ms-lease-status", "unlocked");
        reply.set_static("x-ms-has-legal-hold", "false");
        reply
            .set_static("x-ms-has-immutability-policy", if container.append_only { "true" } else { "false" });
        let versions = if container.protection.is_some() { "true" } else { "false" };
        reply.set_static("x-ms-immutable-storage-with-versioning-enabled", versions);
        metadata::write(&container.metadata, &mut reply);
    }
    reply
}
