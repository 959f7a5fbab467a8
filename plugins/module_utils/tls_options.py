# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What the plugins for certificates have in common.

from __future__ import annotations

#: Kinds of private keys, the default first.
KEY_TYPES = ("ec-p256", "ec-p384", "rsa-3072", "rsa-4096")
