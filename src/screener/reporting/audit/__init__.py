"""The audit log: a chain of lines, one per decision."""

from screener.reporting.audit.log import AuditLog as AuditLog
from screener.reporting.audit.log import claim_log as claim_log
from screener.reporting.audit.log import open_log as open_log
from screener.reporting.audit.verification import Verification as Verification
from screener.reporting.audit.verification import verify as verify
