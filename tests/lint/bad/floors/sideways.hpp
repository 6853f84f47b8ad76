// place: include/weir/layout.hpp
// expect: layout (F1) must not include memory (F1)
// SPDX-License-Identifier: MIT
#pragma once

#include <weir/memory.hpp>
