// place: include/weir/record.hpp
// expect: must say SPDX-License-Identifier: MIT
#pragma once
