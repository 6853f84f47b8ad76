// SPDX-License-Identifier: MIT
/// Everything that Weir offers.
#pragma once

#include <weir/backpressure.hpp>
#include <weir/broadcast_ring.hpp>
#include <weir/cache_line.hpp>
#include <weir/coalesce.hpp>
#include <weir/config.hpp>
#include <weir/contract.hpp>
#include <weir/doorbell.hpp>
#include <weir/lanes.hpp>
#include <weir/latest.hpp>
#include <weir/layout.hpp>
#include <weir/memory.hpp>
#include <weir/mpsc_ring.hpp>
#include <weir/owner.hpp>
#include <weir/record.hpp>
#include <weir/spsc_ring.hpp>
#include <weir/stats.hpp>
#include <weir/status.hpp>
#include <weir/version.hpp>
#include <weir/wait.hpp>
