// place: include/weir/layout.hpp
// expect: layout (F1) must not include wait (F3)
// SPDX-License-Identifier: MIT
#pragma once

#include <weir/wait.hpp>
