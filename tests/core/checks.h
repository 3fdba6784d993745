// Checks that need no Python: the kernels of this machine against the scalar ones, for the
// sanitizers, and for processors that are only emulated. Each says what differs, and returns
// whether nothing did.
#pragma once

bool check_md5();
// Of its colours, quotients and pictures one in so many, an odd number.
bool check_pdq(unsigned every);
// Of its radii one in so many, or in eight.
bool check_ring(unsigned every);
bool check_scan();
bool check_views();
// Of its batches one in so many, or in eight.
bool check_weigh(unsigned every);
