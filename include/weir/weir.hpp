// SPDX-License-Identifier: MIT
/// Everything that Weir offers.
#pragma once

#include <weir/backpressure.hpp>
#include <weir/cache_line.hpp>
#include <weir/config.hpp>
#include <weir/contract.hpp>
#include <weir/layout.hpp>
#include <weir/memory.hpp>
#include <weir/owner.hpp>
#include <weir/record.hpp>
#include <weir/spsc_ring.hpp>
#include <weir/stats.hpp>
#include <weir/status.hpp>
#include <weir/version.hpp>
#include <weir/wait.hpp>
