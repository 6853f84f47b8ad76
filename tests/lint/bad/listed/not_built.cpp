// place: tests/unit/forgotten.test.cpp
// expect: no CMakeLists.txt builds this file
// SPDX-License-Identifier: MIT
