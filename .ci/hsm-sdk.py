"""The official Python client of Managed HSMs, as it is published, against the emulated one.

Starts `cargo emulator` itself. What fails here is the emulator's fault, not the client's.
"""

import os
import re
import sys
from datetime import datetime, timedelta, timezone

from emulated import emulator


def sas():
    """A token that an account key would sign; the emulator does not look at signatures."""
    expiry = (datetime.now(timezone.utc) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"sv=2022-11-02&ss=b&srt=sco&sp=rwdlacu&se={expiry}&sig=bm90aGluZw%3D%3D"


def names(keys):
    return sorted(key.name for key in keys.list_properties_of_keys())


def full(backups, keys, container, auth):
    """A backup and a restore of everything. Gives the folder."""
    folder = backups.begin_backup(container, _polling_interval=1, **auth).result().folder_url
    assert re.fullmatch(re.escape(container) + r"/mhsm-hsm-prod-\d{16}", folder), folder
    keys.create_rsa_key("intruder")
    backups.begin_restore(folder, _polling_interval=1, **auth).wait()
    assert "intruder" not in names(keys), names(keys)
    return folder


def selective(backups, keys, folder, auth):
    """A restore of one key, first onto itself, which restores nothing, then after a purge."""
    key = keys.get_key("key-00000")
    backups.begin_restore(folder, key_name=key.name, _polling_interval=1, **auth).wait()
    assert keys.get_key(key.name).id == key.id
    keys.begin_delete_key(key.name, _polling_interval=1).wait()
    keys.purge_deleted_key(key.name)
    assert names(keys) == [], names(keys)
    backups.begin_restore(folder, key_name=key.name, _polling_interval=1, **auth).wait()
    assert keys.get_key(key.name).id == key.id


def checks(backups, container, folder, auth):
    backups.begin_pre_backup(container, _polling_interval=1, **auth).wait()
    backups.begin_pre_restore(folder, _polling_interval=1, **auth).wait()


def failures(backups, container, errors):
    """A token without an expiry is refused; a container that is not there fails the job."""
    for url, auth, expected in [
        (container, {"sas_token": "invalid_sas_token"}, "SAS token is malformed"),
        (container + "-none", {"sas_token": sas()}, ""),
    ]:
        try:
            backups.begin_backup(url, _polling_interval=1, **auth).result()
        except errors.HttpResponseError as error:
            assert expected in str(error), error
        else:
            raise AssertionError(f"{url} was backed up into")


def main():
    with emulator("--hsm-retry-after", "1", "--hsm-seconds", "1"):
        from azure.core import exceptions
        from azure.identity import ManagedIdentityCredential
        from azure.keyvault.administration import KeyVaultBackupClient
        from azure.keyvault.keys import KeyClient

        hsm, container = os.environ["KEYVAULT_BACKUP_HSMS"], os.environ["KEYVAULT_BACKUP_HSM_CONTAINER"]
        credential = ManagedIdentityCredential()
        backups, keys = KeyVaultBackupClient(hsm, credential), KeyClient(hsm, credential)
        assert names(keys) == ["key-00000"], names(keys)
        for auth in ({"use_managed_identity": True}, {"sas_token": sas()}):
            folder = full(backups, keys, container, auth)
            selective(backups, keys, folder, auth)
            checks(backups, container, folder, auth)
        failures(backups, container, exceptions)
    print("the official Python client backs up, checks and restores an emulated HSM")


if __name__ == "__main__":
    sys.exit(main())
