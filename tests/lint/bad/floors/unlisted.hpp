// place: include/weir/detail/unlisted.hpp
// expect: has no floor
// SPDX-License-Identifier: MIT
#pragma once
