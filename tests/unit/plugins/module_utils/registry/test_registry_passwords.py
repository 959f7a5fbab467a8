# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from ansible_collections.breakwater.docker.plugins.module_utils.registry.passwords import LibcryptHasher, htpasswd

HASH = "$2b$10$rQbK43aWSxZ9M4Ehc570q.WBe0agY.74vr.5w/FF5bFt73Nbn4FlW"  # of "secret"


def test_hash_is_kept_as_long_as_it_fits() -> None:
    hasher = LibcryptHasher()
    users = [{"name": "alice", "password": "secret", "hash": None}]
    assert htpasswd(users, f"alice:{HASH}\n", hasher) == f"alice:{HASH}\n"
    changed = htpasswd([{"name": "alice", "password": "other", "hash": None}], f"alice:{HASH}\n", hasher)
    assert changed.startswith("alice:$2b$10$")
    assert HASH not in changed
    assert hasher.fits("other", changed.strip().partition(":")[2])


def test_two_hashes_of_a_password_differ() -> None:
    hasher = LibcryptHasher()
    assert hasher.make("secret") != hasher.make("secret")


def test_given_hashes_are_taken_and_unlisted_users_go() -> None:
    users = [{"name": "bob", "password": None, "hash": HASH}]
    assert htpasswd(users, f"alice:{HASH}\nbob:x\n", LibcryptHasher()) == f"bob:{HASH}\n"
