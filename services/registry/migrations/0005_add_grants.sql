-- A project (立项): a selected candidate of a confirmed list, with its period. `unit` is the registered unit behind the
-- application (its name where none is registered); `accept_before` is exclusive ("2021年12月前" is 2021-12-01).
CREATE TABLE projects (
    round text NOT NULL,
    candidate text NOT NULL,
    list_version int NOT NULL,
    unit text NOT NULL,
    channel text NOT NULL,
    starts_on date NOT NULL,
    ends_on date NOT NULL CHECK (ends_on >= starts_on),
    accept_before date NOT NULL CHECK (accept_before > starts_on),
    opened_by text NOT NULL,
    opened_at timestamptz NOT NULL,
    PRIMARY KEY (round, candidate),
    FOREIGN KEY (round, candidate) REFERENCES candidates,
    FOREIGN KEY (round, list_version) REFERENCES lists
);
CREATE INDEX projects_of_unit ON projects (round, unit, candidate);
CREATE INDEX projects_of_channel ON projects (round, channel, candidate);

-- The budget lines of the application: money is granted, moved and spent along them.
CREATE TABLE project_lines (
    round text NOT NULL,
    candidate text NOT NULL,
    line int NOT NULL CHECK (line > 0),
    name text NOT NULL,
    basis text NOT NULL,
    requested numeric(16, 2) NOT NULL CHECK (requested >= 0),
    PRIMARY KEY (round, candidate, line),
    FOREIGN KEY (round, candidate) REFERENCES projects
);

-- The targets of the application: acceptance answers each of them.
CREATE TABLE project_targets (
    round text NOT NULL,
    candidate text NOT NULL,
    target int NOT NULL CHECK (target > 0),
    text text NOT NULL,
    measure text NOT NULL,
    due_on date,
    PRIMARY KEY (round, candidate, target),
    FOREIGN KEY (round, candidate) REFERENCES projects
);

-- What needs two people of the office: a grant, a change of budget, an acceptance, a settlement. A proposal never changes;
-- it takes effect with the last signature it needs, in that signature's transaction.
CREATE TABLE project_proposals (
    proposal uuid PRIMARY KEY,
    round text NOT NULL,
    candidate text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('grant', 'budget_change', 'acceptance', 'settlement')),
    content jsonb NOT NULL,
    reason text NOT NULL,
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL,
    FOREIGN KEY (round, candidate) REFERENCES projects
);
CREATE INDEX project_proposals_of_project ON project_proposals (round, candidate, proposed_at);

-- Signatures under proposals, one a person. One refusal ends a proposal.
CREATE TABLE project_signatures (
    proposal uuid NOT NULL REFERENCES project_proposals,
    signer text NOT NULL,
    decision text NOT NULL CHECK (decision IN ('approve', 'refuse')),
    reason text NOT NULL,
    signed_at timestamptz NOT NULL,
    PRIMARY KEY (proposal, signer)
);

-- Approved money by line: the grant, then changes of budget (negative where money leaves a line). Their sum is what a
-- line may spend.
CREATE TABLE project_amounts (
    proposal uuid NOT NULL REFERENCES project_proposals,
    round text NOT NULL,
    candidate text NOT NULL,
    line int NOT NULL,
    amount numeric(16, 2) NOT NULL,
    PRIMARY KEY (proposal, line),
    FOREIGN KEY (round, candidate, line) REFERENCES project_lines
);
CREATE INDEX project_amounts_of_project ON project_amounts (round, candidate, line);

-- In which parts the grant is to be paid out.
CREATE TABLE project_instalments (
    round text NOT NULL,
    candidate text NOT NULL,
    instalment int NOT NULL CHECK (instalment > 0),
    amount numeric(16, 2) NOT NULL CHECK (amount > 0),
    planned_on date NOT NULL,
    PRIMARY KEY (round, candidate, instalment),
    FOREIGN KEY (round, candidate) REFERENCES projects
);

-- Money that moved between office and unit: instalments paid out, and what came back after settlement. A wrong entry is
-- answered by one of the opposite amount (`reverses`), never changed.
CREATE TABLE project_payments (
    payment uuid PRIMARY KEY,
    round text NOT NULL,
    candidate text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('instalment', 'return')),
    instalment int,
    amount numeric(16, 2) NOT NULL CHECK ((amount < 0) = (reverses IS NOT NULL) AND amount <> 0),
    paid_on date NOT NULL,
    document_number text NOT NULL,
    reverses uuid UNIQUE REFERENCES project_payments,
    reason text NOT NULL DEFAULT '',
    entered_by text NOT NULL,
    entered_at timestamptz NOT NULL,
    CHECK ((kind = 'instalment') = (instalment IS NOT NULL)),
    FOREIGN KEY (round, candidate, instalment) REFERENCES project_instalments,
    FOREIGN KEY (round, candidate) REFERENCES projects
);
CREATE INDEX project_payments_of_project ON project_payments (round, candidate, entered_at);

-- The unit's bookings: expenditure against a line, or its own funds (自筹) put into one. A voucher counts once over all
-- projects: `voucher_use` is how often bookings with it were reversed before, so that a reversed one may be booked anew.
CREATE TABLE project_bookings (
    booking uuid PRIMARY KEY,
    round text NOT NULL,
    candidate text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('expenditure', 'own_funds')),
    line int NOT NULL,
    amount numeric(16, 2) NOT NULL CHECK ((amount < 0) = (reverses IS NOT NULL) AND amount <> 0),
    spent_on date NOT NULL,
    purpose text NOT NULL,
    voucher text NOT NULL REFERENCES attachments,
    voucher_sha256 bytea NOT NULL CHECK (octet_length(voucher_sha256) = 32),
    voucher_use int NOT NULL DEFAULT 0,
    reverses uuid UNIQUE REFERENCES project_bookings,
    reason text NOT NULL DEFAULT '',
    booked_by text NOT NULL,
    booked_at timestamptz NOT NULL,
    FOREIGN KEY (round, candidate, line) REFERENCES project_lines
);
CREATE UNIQUE INDEX project_vouchers ON project_bookings (voucher_sha256, voucher_use) WHERE reverses IS NULL;
CREATE INDEX project_bookings_of_project ON project_bookings (round, candidate, booked_at);

-- The office's look at bookings; the newest counts.
CREATE TABLE project_checks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    booking uuid NOT NULL REFERENCES project_bookings,
    outcome text NOT NULL CHECK (outcome IN ('confirmed', 'queried')),
    comment text NOT NULL,
    checked_by text NOT NULL,
    checked_at timestamptz NOT NULL
);
CREATE INDEX project_checks_of_booking ON project_checks (booking, id);

-- Inspections as planned.
CREATE TABLE project_inspections (
    inspection uuid PRIMARY KEY,
    round text NOT NULL,
    candidate text NOT NULL,
    planned_on date NOT NULL,
    topic text NOT NULL,
    planned_by text NOT NULL,
    planned_at timestamptz NOT NULL,
    FOREIGN KEY (round, candidate) REFERENCES projects
);
CREATE INDEX project_inspections_of_project ON project_inspections (round, candidate, planned_on);

-- How an inspection ended. `summary` is public.
CREATE TABLE project_inspection_reports (
    inspection uuid PRIMARY KEY REFERENCES project_inspections,
    outcome text NOT NULL CHECK (outcome IN ('in_order', 'findings', 'cancelled')),
    held_on date NOT NULL,
    summary text NOT NULL,
    reported_by text NOT NULL,
    reported_at timestamptz NOT NULL
);

-- What an inspection found, what is to be done about it, and by when (the day included).
CREATE TABLE project_findings (
    finding uuid PRIMARY KEY,
    inspection uuid NOT NULL REFERENCES project_inspection_reports,
    position int NOT NULL,
    text text NOT NULL,
    remedy text NOT NULL,
    due_on date NOT NULL,
    UNIQUE (inspection, position)
);

-- What became of a finding: remedied by the unit, then closed or reopened (with a new due date) by the office.
CREATE TABLE project_finding_steps (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    finding uuid NOT NULL REFERENCES project_findings,
    step text NOT NULL CHECK (step IN ('remedied', 'closed', 'reopened')),
    text text NOT NULL,
    evidence text REFERENCES attachments,
    due_on date CHECK ((due_on IS NOT NULL) = (step = 'reopened')),
    actor text NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX project_finding_steps_of_finding ON project_finding_steps (finding, id);

-- Acceptance (验收), attempt by attempt: `rectify` (整改) leads to another attempt, the others are final.
CREATE TABLE project_acceptances (
    round text NOT NULL,
    candidate text NOT NULL,
    attempt int NOT NULL CHECK (attempt > 0),
    proposal uuid NOT NULL UNIQUE REFERENCES project_proposals,
    opinion text NOT NULL CHECK (opinion IN ('passed', 'rectify', 'failed')),
    text text NOT NULL,
    rectify_before date CHECK ((rectify_before IS NOT NULL) = (opinion = 'rectify')),
    late boolean NOT NULL,
    decided_at timestamptz NOT NULL,
    PRIMARY KEY (round, candidate, attempt),
    FOREIGN KEY (round, candidate) REFERENCES projects
);

-- The outcome of each target in an attempt, with the attachments that show it.
CREATE TABLE project_target_outcomes (
    round text NOT NULL,
    candidate text NOT NULL,
    attempt int NOT NULL,
    target int NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('met', 'partly', 'not_met')),
    remark text NOT NULL,
    evidence text[] NOT NULL,
    PRIMARY KEY (round, candidate, attempt, target),
    FOREIGN KEY (round, candidate, attempt) REFERENCES project_acceptances,
    FOREIGN KEY (round, candidate, target) REFERENCES project_targets
);

-- The settlement of the money, frozen as two people signed it.
CREATE TABLE project_settlements (
    round text NOT NULL,
    candidate text NOT NULL,
    proposal uuid NOT NULL UNIQUE REFERENCES project_proposals,
    granted numeric(16, 2) NOT NULL,
    paid numeric(16, 2) NOT NULL,
    spent numeric(16, 2) NOT NULL,
    own_funds numeric(16, 2) NOT NULL,
    eligible numeric(16, 2) NOT NULL CHECK (eligible <= granted),
    to_return numeric(16, 2) NOT NULL CHECK (to_return >= 0),
    to_pay numeric(16, 2) NOT NULL CHECK (to_pay >= 0),
    settled_at timestamptz NOT NULL,
    PRIMARY KEY (round, candidate),
    FOREIGN KEY (round, candidate) REFERENCES projects
);

DO $$
DECLARE kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['projects', 'project_lines', 'project_targets', 'project_proposals', 'project_signatures',
        'project_amounts', 'project_instalments', 'project_payments', 'project_bookings', 'project_checks',
        'project_inspections', 'project_inspection_reports', 'project_findings', 'project_finding_steps',
        'project_acceptances', 'project_target_outcomes', 'project_settlements'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()',
            kept || '_append_only', kept);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
            kept || '_no_truncate', kept);
    END LOOP;
END $$;

GRANT SELECT, INSERT ON projects, project_lines, project_targets, project_proposals, project_signatures, project_amounts,
    project_instalments, project_payments, project_bookings, project_checks, project_inspections,
    project_inspection_reports, project_findings, project_finding_steps, project_acceptances, project_target_outcomes,
    project_settlements TO "${app_role}";
